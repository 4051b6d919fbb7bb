// SPDX-License-Identifier: GPL-3.0-or-later
// live.ts - what happens on the server, as it happens: one event stream per browser.
//
// HTTP/1.1 gives a browser six connections to a server, so a stream per tab would stop the seventh tab.
// The tab that holds the lock reads the stream and passes everything on; when it goes, another gets the lock.
export type LiveType = "event" | "config" | "task" | "stats" | "alert" | "reset";
export type LiveState = "connecting" | "live" | "lost";
const TYPES: LiveType[] = ["event", "config", "task", "stats", "alert", "reset"];

type Message = { what: "frame"; type: LiveType; data: unknown } | { what: "state"; state: LiveState } | { what: "hello" };

export class Live {
  state: LiveState = "connecting";
  /** Whether this tab reads the stream; the others listen to it. */
  isLeader = false;
  private readonly frames = new Set<(type: LiveType, data: unknown) => void>();
  private readonly states = new Set<() => void>();
  private readonly channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("holdfast-live") : null;
  private source: EventSource | null = null;
  private release: (() => void) | null = null;
  private readonly abort = new AbortController();
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly url: string) {}

  start(): void {
    if (this.channel) this.channel.onmessage = (e: MessageEvent<Message>) => this.heard(e.data);
    const locks = typeof navigator !== "undefined" ? navigator.locks : undefined;
    if (!locks || !this.channel) {
      this.lead();
      return;
    }
    this.channel.postMessage({ what: "hello" } satisfies Message);
    locks
      .request("holdfast-live", { signal: this.abort.signal }, () => {
        this.lead();
        return new Promise<void>((resolve) => (this.release = resolve));
      })
      .catch(() => undefined); // stopped while it waited
  }

  stop(): void {
    this.abort.abort();
    clearTimeout(this.retry);
    this.source?.close();
    this.channel?.close();
    this.release?.();
  }

  onFrame(f: (type: LiveType, data: unknown) => void): () => void {
    this.frames.add(f);
    return () => this.frames.delete(f);
  }

  onState(f: () => void): () => void {
    this.states.add(f);
    return () => this.states.delete(f);
  }

  private lead(): void {
    this.isLeader = true;
    this.open();
  }

  private open(): void {
    const source = new EventSource(this.url);
    this.source = source;
    source.onopen = () => {
      // What happened while nobody listened is not known: load afresh.
      if (this.state === "lost") this.frame("reset", {});
      this.moved("live");
    };
    source.onerror = () => {
      this.moved("lost");
      // The browser tries again by itself unless the answer was a refusal.
      if (source.readyState === EventSource.CLOSED) this.retry = setTimeout(() => this.open(), 5000);
    };
    for (const type of TYPES)
      source.addEventListener(type, (e) => {
        try {
          this.frame(type, JSON.parse((e as MessageEvent<string>).data || "{}"));
        } catch {
          this.frame("reset", {});
        }
      });
  }

  private frame(type: LiveType, data: unknown): void {
    this.channel?.postMessage({ what: "frame", type, data } satisfies Message);
    this.frames.forEach((f) => f(type, data));
  }

  private moved(state: LiveState): void {
    this.channel?.postMessage({ what: "state", state } satisfies Message);
    this.state = state;
    this.states.forEach((f) => f());
  }

  private heard(m: Message): void {
    if (m.what === "hello") {
      if (this.isLeader) this.channel?.postMessage({ what: "state", state: this.state } satisfies Message);
    } else if (m.what === "state") {
      this.state = m.state;
      this.states.forEach((f) => f());
    } else {
      this.frames.forEach((f) => f(m.type, m.data));
    }
  }
}

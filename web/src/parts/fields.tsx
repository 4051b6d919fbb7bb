// SPDX-License-Identifier: GPL-3.0-or-later
// fields.tsx - a form from rows of FieldSpec: labels, help, what is wrong at the field itself.
import {
  Button,
  Checkbox,
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  InputGroup,
  InputGroupItem,
  Label,
  LabelGroup,
  Switch,
  TextArea,
  TextInput,
} from "@patternfly/react-core";
import { EyeIcon, EyeSlashIcon } from "@patternfly/react-icons";
import { useId, useState, type ReactNode } from "react";
import { useNamed } from "~/api/data";
import type { PluginOption } from "~/api/types";
import { randomSecret, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatBytes, parseSize } from "~/lib/units";

/** A label, an input, help or what is wrong; ids are tied together for screen readers. */
export function Field({ id, label, isRequired, help, error, children }: { id: string; label: string; isRequired?: boolean; help?: ReactNode; error?: string | undefined; children: ReactNode }) {
  return (
    <FormGroup label={label} fieldId={id} isRequired={!!isRequired}>
      {children}
      {(error || help) && (
        <FormHelperText>
          <HelperText id={`${id}-help`} {...(error ? { isLiveRegion: true } : {})}>
            <HelperTextItem variant={error ? "error" : "default"}>{error ?? help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}

interface InputProps {
  id: string;
  f: FieldSpec;
  value: unknown;
  onChange: (value: unknown) => void;
  error?: string | undefined;
  isStored?: boolean;
  describedBy?: string | undefined;
}

/** Names to choose from; the list shows what fits what is typed. */
export function NameInput({ id, plural, value, onChange, error, placeholder, isRequired, label, filter }: { id: string; plural: string; value: string; onChange: (v: string) => void; error?: string | undefined; placeholder?: string; isRequired?: boolean; label?: string; filter?: (row: { name: string }) => boolean }) {
  const rows = useNamed<{ name: string }>(plural, value);
  const words = value.toLowerCase();
  const fitting = rows.filter((r) => (!filter || filter(r)) && r.name.toLowerCase().includes(words));
  return (
    <>
      <TextInput id={id} list={`${id}-names`} value={value} onChange={(_e, v) => onChange(v)} validated={error ? "error" : "default"} placeholder={placeholder ?? ""} autoComplete="off" isRequired={!!isRequired} {...(label ? { "aria-label": label } : {})} aria-describedby={`${id}-help`} />
      <datalist id={`${id}-names`}>
        {fitting.map((r) => (
          <option key={r.name} value={r.name} />
        ))}
      </datalist>
    </>
  );
}

function NamesInput({ id, f, value, onChange }: InputProps) {
  const chosen = (value as string[]) ?? [];
  const [typed, setTyped] = useState("");
  const add = () => {
    const name = typed.trim();
    if (name && !chosen.includes(name)) onChange([...chosen, name]);
    setTyped("");
  };
  return (
    <>
      <InputGroup>
        <InputGroupItem isFill>
          <NameInput id={id} plural={f.ref!} value={typed} onChange={setTyped} filter={(r) => !chosen.includes(r.name)} />
        </InputGroupItem>
        <InputGroupItem>
          <Button variant="control" onClick={add} isDisabled={!typed.trim()}>
            {_("Add")}
          </Button>
        </InputGroupItem>
      </InputGroup>
      {chosen.length > 0 && (
        <LabelGroup className="hf-chosen" aria-label={f.label} numLabels={20}>
          {chosen.map((name) => (
            <Label key={name} onClose={() => onChange(chosen.filter((c) => c !== name))} closeBtnAriaLabel={_("Remove {name}", { name })}>
              {name}
            </Label>
          ))}
        </LabelGroup>
      )}
    </>
  );
}

export function SecretInput({ id, value, onChange, error, isStored, generate, autoComplete }: { id: string; value: string | null; onChange: (v: string | null) => void; error?: string | undefined; isStored?: boolean; generate?: number | undefined; autoComplete?: string | undefined }) {
  const [isShown, setShown] = useState(false);
  return (
    <>
      <InputGroup>
        <InputGroupItem isFill>
          <TextInput
            id={id}
            type={isShown ? "text" : "password"}
            value={value ?? ""}
            isDisabled={value === null}
            onChange={(_e, v) => onChange(v)}
            validated={error ? "error" : "default"}
            placeholder={isStored && value !== null ? _("unchanged") : ""}
            autoComplete={autoComplete ?? "new-password"}
            aria-describedby={`${id}-help`}
          />
        </InputGroupItem>
        <InputGroupItem>
          <Button variant="control" aria-label={isShown ? _("Hide what is typed") : _("Show what is typed")} icon={isShown ? <EyeSlashIcon /> : <EyeIcon />} onClick={() => setShown(!isShown)} />
        </InputGroupItem>
        {generate && (
          <InputGroupItem>
            <Button
              variant="control"
              isDisabled={value === null}
              onClick={() => {
                onChange(randomSecret(generate));
                setShown(true);
              }}
            >
              {_("Generate")}
            </Button>
          </InputGroupItem>
        )}
      </InputGroup>
      {isStored && <Checkbox id={`${id}-remove`} className="hf-below" label={_("Remove the one that is stored")} isChecked={value === null} onChange={(_e, on) => onChange(on ? null : "")} />}
    </>
  );
}

function OptionsInput({ id, value, onChange, known }: InputProps & { known: PluginOption[] }) {
  const now = (value as Record<string, string>) ?? {};
  const names = [...known.map((o) => o.name), ...Object.keys(now).filter((k) => !known.some((o) => o.name === k))];
  if (!names.length) return <p className="hf-quiet">{_("This plugin has no options.")}</p>;
  return (
    <div className="hf-options">
      {names.map((name) => {
        const o = known.find((k) => k.name === name);
        const fieldId = `${id}-${name}`;
        const choices = o?.type === "enum" && typeof o.values === "string" ? o.values.split("|") : o?.type === "bool" ? ["on", "off"] : null;
        const change = (v: string) => {
          const { [name]: _gone, ...rest } = now;
          onChange(v === "" ? rest : { ...rest, [name]: v });
        };
        return (
          <Field key={name} id={fieldId} label={name} isRequired={!!o?.required} help={o?.help}>
            {choices ? (
              <FormSelect id={fieldId} value={now[name] ?? ""} onChange={(_e, v) => change(v)} aria-describedby={`${fieldId}-help`}>
                <FormSelectOption value="" label={_("default: {value}", { value: o?.default ?? "–" })} />
                {choices.map((c) => (
                  <FormSelectOption key={c} value={c} label={c} />
                ))}
              </FormSelect>
            ) : (
              <TextInput id={fieldId} type={o?.type === "secret" ? "password" : "text"} value={now[name] ?? ""} placeholder={o?.default ?? ""} onChange={(_e, v) => change(v)} aria-describedby={`${fieldId}-help`} />
            )}
          </Field>
        );
      })}
    </div>
  );
}

function Input(p: InputProps & { known: PluginOption[] }) {
  const { id, f, value, onChange, error } = p;
  const validated = error ? "error" : "default";
  const described = { "aria-describedby": `${id}-help` };
  switch (f.kind) {
    case "bool":
      return <Switch id={id} label={f.label} isChecked={value === true} onChange={(_e, on) => onChange(on)} {...described} />;
    case "enum":
      return (
        <FormSelect id={id} value={String(value ?? "")} onChange={(_e, v) => onChange(v)} validated={validated} {...described}>
          {(f.options ?? []).map(([v, label]) => (
            <FormSelectOption key={v} value={v} label={label} />
          ))}
        </FormSelect>
      );
    case "ref":
      return <NameInput id={id} plural={f.ref!} value={String(value ?? "")} onChange={onChange} error={error} placeholder={f.placeholder ?? ""} isRequired={!!f.isRequired} />;
    case "refs":
      return <NamesInput {...p} />;
    case "secret":
      return <SecretInput id={id} value={value as string | null} onChange={onChange} error={error} isStored={!!p.isStored} generate={f.generate} autoComplete={f.autoComplete} />;
    case "options":
      return <OptionsInput {...p} />;
    case "texts":
    case "map":
    case "area":
      return <TextArea id={id} value={String(value ?? "")} onChange={(_e, v) => onChange(v)} validated={validated} rows={f.kind === "area" ? 2 : 3} resizeOrientation="vertical" placeholder={f.placeholder ?? ""} {...described} />;
    case "time":
      return <TextInput id={id} type="datetime-local" value={String(value ?? "")} onChange={(_e, v) => onChange(v)} validated={validated} {...described} />;
    default:
      return (
        <TextInput
          id={id}
          value={String(value ?? "")}
          onChange={(_e, v) => onChange(v)}
          validated={validated}
          placeholder={f.placeholder ?? ""}
          isRequired={!!f.isRequired}
          autoComplete={f.autoComplete ?? "off"}
          {...(f.kind === "int" ? { inputMode: "numeric" as const } : {})}
          {...described}
        />
      );
  }
}

export function Fields({ fields, state, onChange, errors, object, known = [] }: { fields: FieldSpec[]; state: Values; onChange: (state: Values, name: string) => void; errors: Record<string, string>; object: Values | null; known?: PluginOption[] }) {
  const form = useId();
  return (
    <>
      {fields
        .filter((f) => !(object && f.isFixed) && !(!object && f.isEditOnly) && (!f.when || f.when(state)))
        .map((f) => {
          const id = `${form}-${f.name}`;
          const error = errors[f.name];
          const bytes = f.kind === "size" && typeof state[f.name] === "string" ? parseSize(state[f.name] as string) : null;
          const help = bytes !== null && bytes > 0 ? `${formatBytes(bytes)} = ${bytes.toLocaleString()} ${_("bytes")}` : f.help;
          return (
            <Field key={f.name} id={id} label={f.kind === "bool" ? "" : f.label} isRequired={!!f.isRequired} help={help} error={error}>
              <Input id={id} f={f} value={state[f.name]} error={error} known={known} isStored={f.kind === "secret" && object?.[f.name] === true} onChange={(v) => onChange({ ...state, [f.name]: v }, f.name)} />
            </Field>
          );
        })}
    </>
  );
}

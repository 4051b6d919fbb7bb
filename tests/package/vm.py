# SPDX-License-Identifier: GPL-3.0-or-later
"""vm.py - boots a Debian with a kernel of its own in QEMU, for what a container cannot show: security modules, disks.

    run(folder, script, {"holdfast.deb": path}, append="security=selinux", disks=[some_file])

The script is bash (-eu -o pipefail) in a folder with those files; what it printed is returned, and Failed raised when it did not
end with 0.  The image stays as it is."""
import os
import pathlib
import signal
import subprocess
import tarfile
import tempfile
import time

# As in tests/guest/guest.py.
ACCEL = ["-accel", os.environ.get("HOLDFAST_ACCEL", "tcg"), "-cpu", "max"]


class Failed(AssertionError):
    pass


def run(folder, script, files=None, append="", disks=(), seconds=1500, memory_mb=2048):
    with tempfile.TemporaryDirectory(prefix="hfv-", dir="/tmp") as work:
        work = pathlib.Path(work)
        (work / "script").write_text(script)
        with tarfile.open(work / "files.tar", "w") as tar:
            for name, path in {"script": work / "script", **(files or {})}.items():
                tar.add(path, name)
        kernel = f"root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check notsc clocksource=hpet net.ifnames=0 {append}"
        words = ["-M", "pc,usb=off", *ACCEL, "-m", str(memory_mb), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                 "-kernel", f"{folder}/vmlinuz", "-initrd", f"{folder}/initrd", "-append", kernel, "-serial", f"file:{work}/console",
                 "-device", "virtio-serial-pci", "-chardev", f"file,id=out,path={work}/out", "-device", "virtserialport,chardev=out,name=out",
                 "-device", "virtio-rng-pci", "-drive", f"file={folder}/root.ext4,format=raw,if=virtio,snapshot=on",
                 "-drive", f"file={work}/files.tar,format=raw,if=virtio,readonly=on"]
        for disk in disks:
            words += ["-drive", f"file={disk},format=raw,if=virtio"]
        process = subprocess.Popen(["qemu-system-x86_64", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        end = time.monotonic() + seconds
        said = ""
        try:
            while "\n@exit " not in "\n" + said or not said.endswith("\n"):
                if process.poll() is not None or time.monotonic() > end:
                    break
                time.sleep(0.5)
                said = (work / "out").read_text(errors="replace") if (work / "out").exists() else ""
        finally:
            process.send_signal(signal.SIGKILL)
            words = process.communicate()[0].decode(errors="replace")
        text, _, status = said.rpartition("@exit ")
        if status.strip() != "0":
            console = (work / "console").read_text(errors="replace") if (work / "console").exists() else ""
            raise Failed(f"the guest: {status.strip() or 'no end'}\n--- script\n{said[-8000:]}\n--- kernel\n{console[-3000:]}\n{words[-500:]}")
        return text

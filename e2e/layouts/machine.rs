//! A machine with a kernel of its own, for as long as a script takes: emulated, so that it needs no rights and no hardware, and boots in
//! seconds. It has busybox, the program, and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::part::require;
use crate::world::deadline::until_within;
use crate::world::program;

/// Many times what a boot and its script take on a busy machine.
const LIMIT: Duration = Duration::from_mins(4);

const QEMU: &str = "qemu-system-x86_64";

/// The layout whose groups systemd makes, as on most hosts.
pub(super) const SYSTEMD: &str = "v2-systemd";

/// What of it the machine has.
const SYSTEMD_PROGRAMS: [&str; 3] = ["/lib/systemd/systemd", "/usr/bin/systemctl", "/usr/bin/systemd-run"];

/// Its units that others are ordered by.
const SYSTEMD_UNITS: [&str; 4] = ["sysinit.target", "basic.target", "shutdown.target", "multi-user.target"];

/// Runs the script in a group that is not delegated, beside its shell, as in a session.
const SCRIPT_SERVICE: &str =
    "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/busybox sh /init\n";

/// Names the kernel that machines boot, where it is not one of /boot.
const KERNEL: &str = "SCULPT_TEST_KERNEL";

/// What a script's steps said, by their names.
pub(super) struct Machine {
    steps: BTreeMap<String, Step>,
}

/// What one step came to.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) code: i32,
    pub(super) said: String,
}

impl Step {
    #[track_caller]
    pub(super) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.said).unwrap_or_else(|error| panic!("{error}:\n{}", self.said))
    }
}

impl Machine {
    /// Boots one whose control groups are laid out so, with these files, and waits until it has run the script. None where this machine
    /// cannot boot another, which is said loudly.
    pub(super) fn boot(part: &str, layout: &str, files: &[(&str, &str)], script: &str) -> Option<Self> {
        let kernel = kernel();
        let systemd = layout == SYSTEMD;
        let there = has_qemu() && kernel.is_some() && Path::new("/bin/busybox").exists();
        let there = there && (!systemd || Path::new(SYSTEMD_PROGRAMS[0]).exists());
        let need = format!("{QEMU}, a static busybox, a kernel in /boot or named by {KERNEL}, and perhaps systemd");
        if !require(part, &need, there) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        furnish(&root, files, script);
        if systemd {
            furnish_systemd(&root);
        }
        let image = pack(&root);
        let (console, results) = (folder.path().join("console"), folder.path().join("results"));
        let mut command = Command::new(QEMU);
        // Hardware that helps to emulate is not on every machine, and where it is nested it may not be all there.
        command.args(["-accel", "tcg", "-cpu", "max", "-m", "768", "-nodefaults", "-display", "none", "-no-reboot"]);
        for file in [&console, &results] {
            command.arg("-serial").arg(format!("file:{}", file.display()));
        }
        command.arg("-kernel").arg(kernel?).arg("-initrd").arg(image);
        let version_2 = if layout.starts_with("v2") { "cgroup_no_v1=all " } else { "" };
        // On a busy machine an emulated timer is late, and a kernel that checks it gives up.
        command.arg("-append").arg(format!("console=ttyS0 quiet panic=-1 no_timer_check {version_2}layout={layout}"));
        let mut machine = Running(command.stdin(Stdio::null()).spawn().unwrap());
        let ended = until_within(LIMIT, "the end of a machine", || machine.0.try_wait().unwrap());
        let read = |file: &Path| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).replace('\r', "");
        let (console, results) = (read(&console), read(&results));
        assert!(ended.success() && results.contains("== end 0"), "{layout} did not come to its end:\n{console}\n{results}");
        Some(Self { steps: parse(&results) })
    }

    /// What a step came to.
    #[track_caller]
    pub(super) fn step(&self, name: &str) -> &Step {
        self.steps.get(name).unwrap_or_else(|| panic!("no step {name} among {:?}", self.steps.keys()))
    }
}

/// A machine at work. A test that fails leaves none behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The newest kernel that can be read here.
fn kernel() -> Option<PathBuf> {
    let told = std::env::var_os(KERNEL).map(PathBuf::from);
    let installed = std::fs::read_dir("/boot").into_iter().flatten().flatten().map(|entry| entry.path());
    let kernels = installed.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")));
    told.or_else(|| kernels.max()).filter(|path| File::open(path).is_ok())
}

fn has_qemu() -> bool {
    Command::new(QEMU).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Puts everything into the folder that will be the machine's root.
fn furnish(root: &Path, files: &[(&str, &str)], script: &str) {
    for folder in ["bin", "proc", "sys", "dev", "tmp"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let program = program::path();
    // What only a debugger reads is most of it. Where nobody can take it out, it comes along.
    let stripped = Command::new("strip").arg("-o").arg(root.join("bin/sculpt")).arg(&program).status();
    if !stripped.is_ok_and(|status| status.success()) {
        std::fs::copy(&program, root.join("bin/sculpt")).unwrap();
    }
    copy_libraries(&program, root);
    write(root, "script", script);
    write(root, "init", include_str!("init.sh"));
    std::fs::set_permissions(root.join("init"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (path, text) in files {
        write(root, path, text);
    }
}

/// What systemd needs to run the script as its only service.
fn furnish_systemd(root: &Path) {
    for program in SYSTEMD_PROGRAMS.map(Path::new) {
        copy(program, root);
        copy_libraries(program, root);
    }
    for unit in SYSTEMD_UNITS {
        copy(&Path::new("/lib/systemd/system").join(unit), root);
    }
    let target = "[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=script.service\nAfter=script.service\n";
    write(root, "etc/systemd/system/default.target", target);
    write(root, "etc/systemd/system/script.service", SCRIPT_SERVICE);
    write(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    write(root, "etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\n");
    write(root, "etc/group", "root:x:0:\n");
}

/// Copies the shared libraries of a program, its loader among them.
fn copy_libraries(program: &Path, root: &Path) {
    let needs = Command::new("ldd").arg(program).output().unwrap();
    let said = String::from_utf8_lossy(&needs.stdout);
    said.split_whitespace().filter(|word| word.starts_with('/')).for_each(|library| copy(Path::new(library), root));
}

/// Copies a file to where it is here, with its text and not as a link.
fn copy(file: &Path, root: &Path) {
    let to = root.join(file.strip_prefix("/").unwrap());
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(file, to).unwrap();
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Packs a folder into what a kernel takes as its first root.
fn pack(root: &Path) -> PathBuf {
    let image = root.with_extension("cpio");
    let mut packer = Command::new("/bin/busybox");
    packer.args(["sh", "-c", "find . | busybox cpio -o -H newc 2>/dev/null"]).current_dir(root);
    assert!(packer.stdout(File::create(&image).unwrap()).status().unwrap().success());
    image
}

/// `== NAME CODE` and what was said, step by step.
fn parse(results: &str) -> BTreeMap<String, Step> {
    let steps = results.split("== ").filter_map(|text| {
        let (head, said) = text.split_once('\n')?;
        let (name, code) = head.split_once(' ')?;
        Some((name.to_owned(), Step { code: code.parse().ok()?, said: said.to_owned() }))
    });
    steps.collect()
}

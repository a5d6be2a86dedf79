//! `sculpt service install`: the workspace's supervisor as a unit of systemd.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::session::establish;
use crate::adapters::workspace::write_private;
use crate::interface::failure::Failure;
use crate::interface::terminal::{env, show, show_json};

/// Lets systemd supervise the supervisor.
#[derive(Debug, Args)]
pub struct Service {
    #[command(subcommand)]
    what: What,
}

/// What is done.
#[derive(Debug, Subcommand)]
enum What {
    /// Write a unit that starts the supervisor of this workspace with the machine, or with the user's session
    Install(Install),
}

/// Where the unit goes.
#[derive(Debug, Args)]
struct Install {
    /// For the whole machine, in /etc/systemd/system; needs root
    #[arg(long)]
    system: bool,
    /// Only show the unit
    #[arg(long, visible_alias = "print")]
    dry_run: bool,
}

impl Service {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let What::Install(install) = self.what;
        let workspace = context.workspace()?;
        let program = std::env::current_exe().map_err(Failure::file("find", "this program"))?;
        let text = unit(&program, workspace.root(), install.system)?;
        if install.dry_run {
            show(&text)?;
            return Ok(0);
        }
        establish(&workspace)?;
        let id = workspace.establish()?.id;
        let path = folder(install.system)?.join(format!("sculpt-{id}.service"));
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        write_private(&path, text.as_bytes(), 0o644)?;
        let user = if install.system { "" } else { " --user" };
        let next = [format!("systemctl{user} daemon-reload"), format!("systemctl{user} enable --now sculpt-{id}")];
        if context.json {
            show_json(&serde_json::json!({ "unit": path, "next": next }))?;
        } else {
            let mut text = format!("wrote {}\n\nnext:\n", path.display());
            for command in &next {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {command}");
            }
            if !install.system {
                text.push_str("  loginctl enable-linger     so that it also runs while you are logged out\n");
            }
            show(&text)?;
        }
        Ok(0)
    }
}

/// Where systemd looks for units.
fn folder(system: bool) -> Result<PathBuf, Failure> {
    if system {
        return Ok(PathBuf::from("/etc/systemd/system"));
    }
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let config = config.ok_or_else(|| Failure::usage("neither HOME nor XDG_CONFIG_HOME is set", "set one, or use `--system`"))?;
    Ok(config.join("systemd/user"))
}

#[expect(clippy::disallowed_methods, reason = "a folder that the user asked for; no phase is involved")]
fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::file("make", folder))
}

/// The unit. The service manager ends only the supervisor: what it supervises is left to the next one, and ends by `sculpt down`.
///
/// So the supervisor is in a delegated scope and not in the group of the service, though `Delegate=` would let it hand controllers down
/// there too: a group that does so takes no process, and with something left in it the service could not be started again.
fn unit(program: &Path, root: &Path, system: bool) -> Result<String, Failure> {
    let (program, root) = (quoted(program)?, quoted(root)?);
    let (wanted_by, user) = if system { ("multi-user.target", "") } else { ("default.target", "--user ") };
    Ok(format!(
        "[Unit]
Description=sculpt supervisor of {root}
Documentation=man:systemd.service(5)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStartPre=-{program} -C {root} supervise --stop
ExecStart=/usr/bin/systemd-run {user}--scope --quiet --collect -p Delegate=yes -- {program} -C {root} supervise
WatchdogSec=30s
KillMode=process
Restart=on-failure
RestartSec=1s

[Install]
WantedBy={wanted_by}
"
    ))
}

/// A path as a unit has it: quoted, with the signs that mean something to systemd doubled.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains(|sign: char| sign.is_control()));
    let text = text.ok_or_else(|| {
        Failure::usage(format!("the path {} cannot stand in a unit", path.display()), "use a path without control characters")
    })?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_its_own_is_taken_as_it_is() {
        assert_eq!(quoted(Path::new("/a b/100%/$x\"y")).unwrap(), r#""/a b/100%%/$$x\"y""#);
        assert!(quoted(Path::new("/a\nb")).is_err());
    }

    #[test]
    fn the_unit_says_when_it_is_ready_and_ends_only_the_supervisor() {
        let text = unit(Path::new("/usr/bin/sculpt"), Path::new("/srv/crm"), true).unwrap();
        for line in [
            "Type=notify",
            "KillMode=process",
            "ExecStart=/usr/bin/systemd-run --scope --quiet --collect -p Delegate=yes -- \"/usr/bin/sculpt\" -C \"/srv/crm\" supervise",
            "WantedBy=multi-user.target",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
    }
}

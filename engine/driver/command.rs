//! A declared command → one that can be started: argument vector, environment, folder, user.

use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::shell::{argv, service_argv};
use super::texts::{TextError, Texts};
use crate::base::marks::{ATTEMPT, GOAL, PHASE, RUN, WORKSPACE};
use crate::kernel::fault::Fault;
use crate::manifest::check::{Exec, ExecFull};
use crate::manifest::goal::EnvValue;
use crate::manifest::policy::Limits;
use crate::manifest::process::{Process, ProcessFull};
use crate::manifest::resource::Custom;
use crate::manifest::work::Run;
use crate::ports::job::Command;

/// What a command has around it beyond its phase.
#[derive(Default)]
struct Around<'a> {
    shell: Option<&'a str>,
    env: IndexMap<String, String>,
    env_file: &'a [String],
    working_dir: Option<&'a str>,
    user: Option<&'a str>,
    group: Option<&'a str>,
    limits: Limits,
    service: bool,
}

impl Texts<'_> {
    /// The phase's own command.
    pub(super) fn work(&self, run: &Run, log: PathBuf, output: &Path) -> Result<Command, TextError> {
        let spec = &self.planned().spec;
        let around = Around { shell: spec.shell.as_deref(), limits: spec.limits.clone().unwrap_or_default(), ..Around::default() };
        let mut command = self.command(run, &around, log)?;
        command.env.insert("SCULPT_OUTPUT".to_owned(), output.to_string_lossy().into_owned());
        Ok(command)
    }

    /// A service's command.
    pub(super) fn service(&self, process: &Process, limits: Option<&Limits>, log: PathBuf) -> Result<Command, TextError> {
        let limits = limits.cloned().unwrap_or_default();
        match process {
            Process::Run(run) => self.command(run, &Around { limits, service: true, ..Around::default() }, log),
            Process::Full(full) => {
                let ProcessFull { run, shell, env, env_file, working_dir, user, group } = &**full;
                let around = Around {
                    shell: shell.as_deref(),
                    env: texts(env),
                    env_file: env_file.as_ref().map_or(&[][..], |files| files.as_slice()),
                    working_dir: working_dir.as_deref(),
                    user: user.as_deref(),
                    group: group.as_deref(),
                    limits,
                    service: true,
                };
                self.command(run, &around, log)
            }
        }
    }

    /// The command of a check, in the phase's environment and folder.
    pub(super) fn check(&self, exec: &Exec, log: PathBuf) -> Result<Command, TextError> {
        match exec {
            Exec::Run(run) => self.command(run, &Around::default(), log),
            Exec::Full(full) => {
                let ExecFull { run, shell, env, working_dir, user, .. } = full;
                let around = Around {
                    shell: shell.as_deref(),
                    env: texts(env),
                    working_dir: working_dir.as_deref(),
                    user: user.as_deref(),
                    ..Around::default()
                };
                self.command(run, &around, log)
            }
        }
    }

    /// A command of a custom resource.
    pub(super) fn custom(&self, custom: &Custom, run: &Run, log: PathBuf, output: &Path) -> Result<Command, TextError> {
        let env_file = custom.env_file.as_ref().map_or(&[][..], |files| files.as_slice());
        let mut command = self.command(run, &Around { env: custom.env.clone(), env_file, ..Around::default() }, log)?;
        command.env.insert("SCULPT_OUTPUT".to_owned(), output.to_string_lossy().into_owned());
        Ok(command)
    }

    fn command(&self, run: &Run, around: &Around<'_>, log: PathBuf) -> Result<Command, TextError> {
        let (plan, spec) = (&self.run.plan, &self.planned().spec);
        let run = match run {
            Run::Script(script) => Run::Script(self.text(script)?),
            Run::Argv(words) => Run::Argv(words.iter().map(|word| self.text(word)).collect::<Result<_, _>>()?),
        };
        let shell = around.shell;
        let env = self.layered((*self.env).clone(), around.env_file, &around.env)?;
        let cwd = self.folder(around.working_dir)?;
        let user = around.user.or(spec.user.as_deref()).map(|user| self.text(user)).transpose()?.filter(|user| !user.is_empty());
        let group = around.group.or(spec.group.as_deref()).map(|group| self.text(group)).transpose()?.filter(|group| !group.is_empty());
        let argv = if around.service { service_argv(&run, shell) } else { argv(&run, shell) };
        let mut limits = around.limits.clone();
        limits.enforce = limits.enforce.or(plan.limits.enforce);
        // The kernel limits open files process by process: what holds for the goal holds for each that does not say otherwise.
        limits.files = limits.files.or(plan.limits.files);
        Ok(Command { argv, env, cwd, user, group, log, limits })
    }

    /// An environment with what is declared over it, and the marks. What is nearer wins: goal, phase, command; in each the files first.
    pub(super) fn layered(
        &self,
        mut env: IndexMap<String, String>,
        own_files: &[String],
        own: &IndexMap<String, String>,
    ) -> Result<IndexMap<String, String>, TextError> {
        let (plan, spec) = (&self.run.plan, &self.planned().spec);
        let phase_files = spec.env_file.as_ref().map_or(&[][..], |files| files.as_slice());
        let layers: [(&[String], IndexMap<String, String>); 3] =
            [(&plan.env_file, texts(&plan.env)), (phase_files, texts(&spec.env)), (own_files, own.clone())];
        for (files, declared) in layers {
            for file in files {
                self.read_env_file(file, &mut env)?;
            }
            for (name, value) in declared {
                let value = self.text(&value)?;
                env.insert(name, value);
            }
        }
        let owner = self.run.owner(self.ix);
        let marks = [
            (WORKSPACE, self.workspace.root().to_string_lossy().into_owned()),
            (GOAL, owner.goal.to_string()),
            (RUN, self.run.id.to_string()),
            (PHASE, self.planned().name.to_string()),
            (ATTEMPT, self.phase().attempt.to_string()),
        ];
        env.extend(marks.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(env)
    }

    /// The folder that a command runs in: its own where it has one, else the phase's, the goal's, the workspace.
    pub(super) fn folder(&self, own: Option<&str>) -> Result<PathBuf, TextError> {
        let declared = own.or(self.planned().spec.working_dir.as_deref()).or(self.run.plan.working_dir.as_deref());
        Ok(match declared {
            Some(folder) => self.workspace.root().join(self.text(folder)?),
            None => self.workspace.root().to_owned(),
        })
    }

    /// Reads `NAME=value` lines; `#` begins a comment line, quotes around a value are dropped, `export ` is allowed.
    fn read_env_file(&self, file: &str, env: &mut IndexMap<String, String>) -> Result<(), TextError> {
        let file = self.text(file)?;
        let path = self.workspace.root().join(&file);
        let text =
            fs::read_to_string(&path).map_err(|error| (Fault::MissingFile, format!("failed to read the env_file {file}: {error}")))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err((Fault::MissingFile, format!("failed to read the env_file {file}: line {} is not NAME=value", number + 1)));
            };
            let value = value.trim();
            let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            env.insert(name.trim().to_owned(), quoted.unwrap_or(value).to_owned());
        }
        Ok(())
    }
}

pub(super) fn texts(env: &IndexMap<String, EnvValue>) -> IndexMap<String, String> {
    env.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

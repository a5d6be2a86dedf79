//! Preparing a run: its environment is kept, its secrets are fetched or generated, its limits are set.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;

use super::custom::Around;
use super::lease::Leases;
use super::work::{WorkError, check, scope_limits};
use crate::adapters::process::launch::Launch;
use crate::adapters::vault::{Vault, generate};
use crate::adapters::workspace::{Workspace, WorkspaceError, make_passable, write_private};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::Seen;
use crate::kernel::fault::Fault;
use crate::kernel::input::Input;
use crate::manifest::param::Secret;
use crate::manifest::policy::Limits;
use crate::manifest::work::Run;
use crate::ports::job::PrepareJob;

/// The vaults of the goals that this engine knows, shared with whoever renders texts and masks them.
#[derive(Clone, Debug, Default)]
pub struct Vaults(Arc<RwLock<HashMap<Name, Vault>>>);

impl Vaults {
    /// A goal's secrets: as prepared, or as kept by an earlier engine.
    ///
    /// # Errors
    /// Where they are kept and cannot be read.
    pub fn of(&self, workspace: &Workspace, goal: &Name) -> std::io::Result<Vault> {
        if let Some(vault) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(goal) {
            return Ok(vault.clone());
        }
        let vault = Vault::read(workspace, goal)?;
        self.put(goal, vault.clone());
        Ok(vault)
    }

    pub(in crate::adapters) fn put(&self, goal: &Name, vault: Vault) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(goal.clone(), vault);
    }

    pub(in crate::adapters) fn forget(&self, goal: &Name) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(goal);
    }
}

/// The file of a run's environment.
pub const ENVIRONMENT: &str = "env.json";

/// Prepares a run. Of its limits, what could not be set is told first.
pub(super) async fn prepare(around: &Around<'_>, workspace: &Workspace, vaults: &Vaults, job: &PrepareJob) -> Seen {
    let failed = |fault, evidence: String| Seen::Failed { fault, evidence };
    match limit(around.leases, &job.goal, &job.limits) {
        Ok(missed) => missed.into_iter().for_each(|seen| around.tell.say(Input::Seen { id: around.by.0, seen })),
        Err(error) => return error.seen(),
    }
    let kept = make_passable(&job.folder.join("logs")).and_then(|()| make_passable(&job.folder.join("outputs")));
    if let Err(error) = kept {
        return failed(Fault::System, error.to_string());
    }
    let mut vault = match Vault::read(workspace, &job.goal) {
        Ok(vault) => vault,
        Err(error) => return failed(Fault::Secret, format!("failed to read the secrets that are kept: {error}")),
    };
    for (name, secret) in &job.secrets {
        let value = match fetch(around, workspace, job, name, secret, &vault).await {
            Ok(value) => value,
            Err(why) => return failed(Fault::Secret, format!("failed to get the secret `{name}`: {why}")),
        };
        if let Err(error) = vault.keep(workspace, &job.goal, name, &value) {
            return failed(Fault::Secret, error.to_string());
        }
    }
    vaults.put(&job.goal, vault);
    Seen::Done
}

/// Limits a goal as a whole. Gives what could not be set.
pub(super) fn limit(leases: &Leases, goal: &Name, limits: &Limits) -> Result<Option<Seen>, WorkError> {
    check(leases, limits, leases.containment().limit_goal(goal, &scope_limits(limits)))
}

/// Tries a secret's sources in their order: `env`, `file`, `command`, `generate`.
async fn fetch(
    around: &Around<'_>,
    workspace: &Workspace,
    job: &PrepareJob,
    name: &Name,
    secret: &Secret,
    vault: &Vault,
) -> Result<String, String> {
    let mut tried = Vec::new();
    if let Some(variable) = &secret.env {
        match job.env.get(variable) {
            Some(value) => return Ok(value.clone()),
            None => tried.push(format!("the variable {variable} is not set")),
        }
    }
    if let Some(file) = &secret.file {
        match fs::read_to_string(workspace.root().join(file)) {
            Ok(text) => return Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned)),
            Err(error) => tried.push(format!("failed to read {file}: {error}")),
        }
    }
    if let Some(command) = &secret.command {
        match from_command(around, workspace, job, name, command).await {
            Ok(value) => return Ok(value),
            Err(why) => tried.push(why),
        }
    }
    if let Some(length) = secret.generate {
        return Ok(vault.get(name).map_or_else(|| generate(length), str::to_owned));
    }
    Err(if tried.is_empty() { "it has no source".to_owned() } else { tried.join("; ") })
}

async fn from_command(around: &Around<'_>, workspace: &Workspace, job: &PrepareJob, name: &Name, command: &Run) -> Result<String, String> {
    let Around { leases, endpoints, by, tell } = around;
    let output = job.folder.join("outputs").join(format!("secret.{name}"));
    let argv = match command {
        Run::Script(script) => vec!["/bin/sh".into(), "-e".into(), "-c".into(), script.clone()],
        Run::Argv(argv) => argv.clone(),
    };
    let mut launch = Launch {
        argv,
        env: job.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        cwd: workspace.root().to_owned(),
        user: None,
        group: None,
        files: None,
        view: None,
        stdout: output.clone(),
        stderr: job.folder.join("logs").join(format!("secret.{name}.log")),
    };
    let owner = Owner::goal(&job.goal);
    let lease = leases.attempt(&owner).map_err(|error| error.to_string())?;
    let (endpoint, started) = match endpoints.open(lease.scope().name(), *by, job.endpoint.clone(), tell) {
        Ok(endpoint) => {
            let started = super::work::spawn(leases, &lease, &mut launch, endpoint.as_ref());
            (endpoint, started)
        }
        Err(error) => (None, Err(error)),
    };
    let ended = match started {
        Ok(running) => super::work::await_and_sweep(running, &lease).await,
        Err(error) => Err(error),
    };
    let left = super::work::end(endpoint).await;
    leases.drop_from(&owner, &lease);
    let text = fs::read_to_string(&output).map_err(|error| error.to_string());
    remove_quietly(&output);
    left.map_err(|error| error.to_string())?;
    match ended.map_err(|error| error.to_string())? {
        swept if swept.exit.is_success() => text.map(|text| text.trim_end_matches('\n').to_owned()),
        swept => Err(format!("its command ended with {}", swept.exit)),
    }
}

/// Removes a goal's secrets.
pub(super) fn forget(workspace: &Workspace, vaults: &Vaults, goal: &Name) -> Seen {
    vaults.forget(goal);
    super::files::remove(&workspace.secrets(goal))
}

/// A file that held a secret for a moment. That it is gone already is as good.
#[expect(clippy::disallowed_methods, reason = "a file of the permitted effect itself")]
fn remove_quietly(path: &Path) {
    drop(fs::remove_file(path));
}

/// Keeps a run's environment, 0600.
///
/// # Errors
/// Where it cannot be written.
pub fn keep_environment(folder: &Path, env: &IndexMap<String, String>) -> Result<(), WorkspaceError> {
    make_passable(folder)?;
    // A map of texts is always JSON.
    let text = serde_json::to_vec(env).unwrap_or_default();
    write_private(&folder.join(ENVIRONMENT), &text, 0o600)
}

/// Reads a run's environment.
///
/// # Errors
/// Where it is not there or no JSON.
pub fn read_environment(folder: &Path) -> std::io::Result<IndexMap<String, String>> {
    let text = fs::read(folder.join(ENVIRONMENT))?;
    serde_json::from_slice(&text).map_err(std::io::Error::other)
}

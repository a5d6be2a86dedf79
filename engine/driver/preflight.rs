//! What must be there before anything starts: every unmet need is named at once. Looks only.

use std::fs;
use std::path::Path;

use indexmap::IndexMap;

use crate::adapters::docker::cgroups::Cgroups;
use crate::adapters::docker::connection::{Engine, NoEngine, Refusal, Tried};
use crate::adapters::docker::version::Version;
use crate::adapters::local::ports::{holder, parse};
use crate::adapters::process::user::ids;
use crate::adapters::workspace::Workspace;
use crate::base::owner::Owner;
use crate::kernel::state::State;
use crate::manifest::kind::Kind;
use crate::manifest::requires::Requires;
use crate::manifest::template::{self, Context};
use crate::plan::sealed::Plan;
use crate::ports::container::Reach;

/// Something that is needed and not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// What is missing.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// Looks whether everything is there that a plan requires.
pub fn unmet(workspace: &Workspace, plan: &Plan, env: &IndexMap<String, String>, state: &State) -> Vec<Unmet> {
    let context = Context::new().with("params", &plan.params).with("env", env);
    let mut unmet = Vec::new();
    for requires in &plan.requires {
        one(workspace, plan, requires, &context, env, state, &mut unmet);
    }
    let engine = engine_of(plan, env);
    unmet.extend(super::host::refused(plan, || super::host::look(workspace, env, engine.as_ref().ok().and_then(Option::as_ref))));
    unmet.extend(engine.err());
    unmet.extend(super::host::too_large(plan, state.memory.room()));
    unmet.dedup();
    unmet
}

/// Whether each container of a goal would have the goal's limits for itself here.
pub fn is_apart(workspace: &Workspace, plan: &Plan, env: &IndexMap<String, String>) -> bool {
    let declares = plan.limits.memory.is_some() || plan.limits.cpus.is_some() || plan.limits.pids.is_some();
    if !declares || needing_engine(plan).is_empty() {
        return false;
    }
    let engine = engine_of(plan, env).ok().flatten();
    super::host::is_apart(plan, &super::host::look(workspace, env, engine.as_ref()))
}

/// The container engine that was found for a plan.
#[derive(Clone, Debug)]
pub struct FoundEngine {
    /// Which one it is.
    pub version: Version,
    /// What it does with control groups; none where it is elsewhere, or does not say.
    pub cgroups: Option<Cgroups>,
}

/// The container engine of a plan; none where it needs none.
///
/// # Errors
/// Where it needs one and there is none, with the places that need it.
pub fn engine_of(plan: &Plan, env: &IndexMap<String, String>) -> Result<Option<FoundEngine>, Unmet> {
    let needing = needing_engine(plan);
    if needing.is_empty() {
        return Ok(None);
    }
    container_engine(env).map(Some).map_err(|none| {
        let what = format!("{none}; it is needed by {}", needing.join(", "));
        Unmet { what, hint: none.hint().words().to_owned() }
    })
}

/// What of a plan needs a container engine, by its places.
fn needing_engine(plan: &Plan) -> Vec<String> {
    let mut needing = Vec::new();
    for (ix, planned) in plan.indexed() {
        if planned.spec.image.is_some() {
            needing.push(plan.owner(ix).to_string());
        }
        let made = planned.spec.resources.iter().filter(|(_, resource)| Kind::of(resource).is_of_engine());
        needing.extend(made.map(|(name, _)| Owner::resource(&plan.goal, &planned.name, name).to_string()));
    }
    if plan.requires.iter().any(|requires| requires.docker == Some(true)) {
        needing.push("`requires: { docker: true }`".to_owned());
    }
    needing
}

/// The container engine that an environment leads to.
fn container_engine(env: &IndexMap<String, String>) -> Result<FoundEngine, NoEngine> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| NoEngine {
        tried: vec![Tried { address: "this host".to_owned(), refusal: Refusal::Other(error.to_string()) }],
        told: false,
    })?;
    runtime.block_on(async {
        let engine = Engine::find(&Reach::of(env).env()).await?;
        let cgroups = match engine.socket() {
            Some(socket) => Cgroups::ask(socket).await,
            None => None,
        };
        Ok(FoundEngine { version: engine.version().clone(), cgroups })
    })
}

fn one(
    workspace: &Workspace,
    plan: &Plan,
    requires: &Requires,
    context: &Context,
    env: &IndexMap<String, String>,
    state: &State,
    unmet: &mut Vec<Unmet>,
) {
    let render = |text: &str| template::render(text, context).unwrap_or_else(|_| text.to_owned());
    let mut miss = |what: String, hint: &str| unmet.push(Unmet { what, hint: hint.to_owned() });
    let path = env.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    for command in requires.commands.iter().map(|command| render(command)) {
        if !is_command(&command, path, workspace.root()) {
            miss(format!("the command `{command}` is not found"), "install it, or add its folder to PATH");
        }
    }
    if let Some(memory) = requires.memory {
        match sysinfo::System::new() {
            Ok(mut system) => {
                system.refresh_memory();
                if system.available_memory() < memory.0 {
                    let available = crate::base::size::ByteSize(system.available_memory() >> 20 << 20);
                    let what = format!("{memory} of memory are needed, {available} are available");
                    miss(what, "end something that uses memory, or lower `requires: { memory: … }`");
                }
            }
            Err(error) => miss(format!("failed to look at the memory: {error}"), "look whether /proc is mounted"),
        }
    }
    if let Some(disk) = requires.disk {
        match rustix::fs::statvfs(workspace.root()) {
            Ok(stat) => {
                let free = crate::base::size::ByteSize(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20 << 20);
                if free < disk {
                    miss(format!("{disk} of disk space are needed, {free} are free"), "free some space, or lower `requires: { disk: … }`");
                }
            }
            Err(error) => miss(format!("failed to look at the free disk space: {error}"), "look whether the workspace's disk is there"),
        }
    }
    for port in &requires.ports {
        let text = render(&port.text());
        match parse(&text) {
            None => miss(format!("`{text}` is not a port"), "write it like `8080`, `127.0.0.1:8080` or `53/udp`"),
            // A goal's own ports are not taken when it runs again.
            Some(_) if holds(plan, state, &text) => {}
            Some(port) => {
                if let Some(holder) = holder(port) {
                    miss(format!("port {text} is held by {holder}"), "end that process, or choose another port with `--set`");
                }
            }
        }
    }
    for file in requires.files.iter().map(|file| render(file)) {
        if !workspace.root().join(&file).exists() {
            miss(format!("the file {file} is not there"), "make it, or mend the path: it is relative to the workspace");
        }
    }
    if let Some(user) = requires.user.as_ref().map(|user| render(user)) {
        let me = rustix::process::geteuid().as_raw();
        if !ids(&user, None).is_ok_and(|(uid, _)| uid == me) {
            miss(format!("it must be run by the user `{user}`"), "run it as that user, for example with sudo");
        }
    }
}

/// Whether a service of this very goal may hold the port.
fn holds(plan: &Plan, state: &State, port: &str) -> bool {
    let Some(goal) = state.goals.get(&plan.goal) else { return false };
    let Some(run) = &goal.run else { return false };
    goal.live_resources().any(|resource| {
        let declared = resource.owner.resource.as_ref().and_then(|name| run.plan.phase(resource.phase).resource(name));
        let context = Context::new().with("params", &run.plan.params);
        declared.is_some_and(|declared| {
            declared.ports.iter().any(|other| template::render(&other.port().text(), &context).is_ok_and(|text| text == port))
        })
    })
}

/// Whether a program is found, as a shell would.
fn is_command(command: &str, path: &str, root: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let executable =
        |file: &Path| fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
    if command.contains('/') {
        return executable(&root.join(command));
    }
    path.split(':').filter(|folder| !folder.is_empty()).any(|folder| executable(&Path::new(folder).join(command)))
}

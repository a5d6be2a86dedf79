//! Containers, networks and volumes: declared → jobs, with every text rendered and every name resolved.
//!
//! | a container has | from |
//! |---|---|
//! | environment | the goal's, the phase's and its own `env` and `env_file`, and the marks; nothing of the host's |
//! | `data:/var/lib` | the volume resource `data`: of its own phase, else of any phase of the goal |
//! | `./conf:/etc/x:ro`, `/srv:/srv` | a path: from the workspace, or absolute |
//! | `networks: [n]` | the network resource `n`, found as volumes are; it is found there under its own resource's name, work under its phase's |
//! | a command as a text | its words, as Compose cuts them: no shell is needed in the image |

use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::command::texts;
use super::shell::argv;
use super::texts::{TextError, Texts};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::StopPolicy;
use crate::kernel::fault::Fault;
use crate::kernel::stock::{Kind, Resource as Stock, stop_policy};
use crate::manifest::policy::{Enforce, Limits};
use crate::manifest::resource::{Container as Declared, Resource};
use crate::manifest::work::Run;
use crate::ports::container::{ContainJob, Container, Image, Made, Mount, ObjectJob, Reach, RemoveObjectJob, Source};
use crate::ports::job::Job;

impl Texts<'_> {
    /// Where the container engine of this run is.
    pub(super) fn reach(&self) -> Reach {
        Reach::of(&self.env)
    }

    fn made(&self) -> Made {
        Made { run: self.run.id.clone(), attempt: self.phase().attempt, reach: self.reach() }
    }

    /// A container that serves.
    pub(super) fn contain_job(&self, name: &Name, resource: &Resource, declared: &Declared) -> Result<Job, TextError> {
        let image = match (&declared.image, &declared.build) {
            (_, Some(folder)) => Image::Built(self.path(folder)?),
            (Some(image), None) => Image::Named(self.text(image)?),
            (None, None) => return Err((Fault::System, format!("{name} has neither an image nor a folder to build one from"))),
        };
        let command = declared.command.as_ref().map(|command| self.words(command)).transpose()?;
        let ports = self
            .ports(name, resource)?
            .into_iter()
            .map(|text| text.parse().map_err(|error: crate::manifest::port::PortError| (Fault::System, error.to_string())));
        let container = Container {
            made: self.made(),
            image,
            entrypoint: None,
            command,
            env: self.layered(IndexMap::new(), &[], &texts(&declared.env))?,
            mounts: self.mounts(&declared.volumes)?,
            ports: ports.collect::<Result<_, _>>()?,
            networks: self.networks(&declared.networks)?,
            alias: name.to_string(),
            user: declared.user.as_ref().map(|user| self.text(user)).transpose()?,
            working_dir: declared.working_dir.as_ref().map(|folder| self.text(folder)).transpose()?,
            limits: self.limited(resource.limits.as_ref()),
            together: self.is_limited_together(),
            stop: stop_policy(resource),
            log: self.log(Some(name)),
        };
        Ok(Job::Contain(Box::new(ContainJob { container, collect: None })))
    }

    /// The phase's command, in a container of its image with the workspace in its place.
    pub(super) fn work_inside_job(&self, image: &str, run: &Run) -> Result<Job, TextError> {
        let spec = &self.planned().spec;
        let collect = self.collect()?;
        let run = match run {
            Run::Script(script) => Run::Script(self.text(script)?),
            Run::Argv(words) => Run::Argv(words.iter().map(|word| self.text(word)).collect::<Result<_, _>>()?),
        };
        let mut env = self.layered(IndexMap::new(), &[], &IndexMap::new())?;
        env.insert("SCULPT_OUTPUT".to_owned(), collect.output.to_string_lossy().into_owned());
        let root = self.workspace.root();
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let user = spec.user.as_ref().map(|user| self.text(user)).transpose()?.filter(|user| !user.is_empty());
        let mut words = argv(&run, spec.shell.as_deref()).into_iter();
        let mut mounts =
            vec![Mount { source: Source::Path(root.to_owned()), target: root.to_string_lossy().into_owned(), read_only: false }];
        mounts.extend(self.mounts(&spec.volumes)?);
        let container = Container {
            made: self.made(),
            image: Image::Named(self.text(image)?),
            entrypoint: words.next().map(|program| vec![program]),
            command: Some(words.collect()),
            env,
            mounts,
            ports: Vec::new(),
            networks: self.networks(&spec.networks)?,
            alias: self.planned().origin.to_string(),
            // What it writes into the workspace is to be the workspace's, and not root's.
            user: user.or_else(|| Some(format!("{uid}:{gid}"))),
            working_dir: Some(self.folder(None)?.to_string_lossy().into_owned()),
            limits: self.limited(spec.limits.as_ref()),
            together: self.is_limited_together(),
            stop: StopPolicy::TERM,
            log: self.log(None),
        };
        Ok(Job::Contain(Box::new(ContainJob { container, collect: Some(collect) })))
    }

    /// A network or a volume.
    pub(super) fn object_job(&self, resource: &Resource) -> Result<Option<Job>, TextError> {
        let (volume, object) = match (&resource.network, &resource.volume) {
            (Some(network), _) => (false, network),
            (None, Some(volume)) => (true, volume),
            (None, None) => return Ok(None),
        };
        let driver = object.driver.as_ref().map(|driver| self.text(driver)).transpose()?;
        Ok(Some(Job::Object(ObjectJob { made: self.made(), volume, driver })))
    }

    /// Its removal.
    pub(super) fn remove_object_job(&self, made: &Stock) -> Result<Job, TextError> {
        let reach = if made.caught.is_some() { self.reach_of_commands()? } else { self.reach() };
        let id = made.caught.as_ref().map(|caught| caught.id.clone());
        Ok(Job::RemoveObject(RemoveObjectJob { reach, volume: made.kind == Kind::Volume, id }))
    }

    /// Whether the goal's limits must hold for all of it together.
    fn is_limited_together(&self) -> bool {
        let limits = &self.run.plan.limits;
        limits.enforce == Some(Enforce::Strict) && (limits.memory.is_some() || limits.cpus.is_some() || limits.pids.is_some())
    }

    /// No container may use more than its goal.
    fn limited(&self, own: Option<&Limits>) -> Limits {
        own.cloned().unwrap_or_default().within(&self.run.plan.limits)
    }

    fn words(&self, command: &Run) -> Result<Vec<String>, TextError> {
        match command {
            Run::Argv(words) => words.iter().map(|word| self.text(word)).collect(),
            Run::Script(text) => {
                let text = self.text(text)?;
                shlex::split(&text).ok_or_else(|| (Fault::Template, format!("`{text}` is no command: a quote in it is not closed")))
            }
        }
    }

    fn networks(&self, names: &[Name]) -> Result<Vec<Owner>, TextError> {
        names.iter().map(|name| self.find(name, Kind::Network)).collect()
    }

    fn mounts(&self, volumes: &[String]) -> Result<Vec<Mount>, TextError> {
        volumes.iter().map(|volume| self.mount(volume)).collect()
    }

    fn mount(&self, text: &str) -> Result<Mount, TextError> {
        let text = self.text(text)?;
        let mut parts = text.splitn(3, ':');
        let (source, target, options) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let wrong = || (Fault::Template, format!("`{text}` is no mount; write it like `data:/var/lib/data` or `./conf:/etc/conf:ro`"));
        let target = target.filter(|target| target.starts_with('/')).ok_or_else(wrong)?;
        let read_only = match options {
            None | Some("rw" | "z" | "Z") => false,
            Some("ro") => true,
            Some(_) => return Err(wrong()),
        };
        let is_path = source.starts_with(['/', '.']) || source.contains('/');
        let source = if is_path {
            // The container engine takes no `.` and `..` in its paths.
            Source::Path(normal(&self.workspace.root().join(source)))
        } else {
            Source::Volume(self.find(&Name::from(source), Kind::Volume)?)
        };
        Ok(Mount { source, target: target.to_owned(), read_only })
    }

    /// The place of a network or a volume that is named: of this phase, else of the first phase that has one of that name.
    fn find(&self, name: &Name, kind: Kind) -> Result<Owner, TextError> {
        let plan = &self.run.plan;
        let has = |resource: &Resource| Kind::of(resource) == kind;
        let own = std::iter::once(self.planned()).chain(&plan.phases).find(|phase| phase.resource(name).is_some_and(has));
        let place = own.map(|phase| Owner::resource(&plan.goal, &phase.name, name));
        place.ok_or_else(|| (Fault::System, format!("the goal has no {} `{name}`", kind.word())))
    }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

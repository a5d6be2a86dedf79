//! A permit → the job that it allows.

use std::path::PathBuf;

use super::texts::{TextError, Texts};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::StopPolicy;
use crate::kernel::fault::Fault;
use crate::kernel::state::State;
use crate::kernel::stock::Resource as Made;
use crate::manifest::resource::{Directory, DirectoryFull, FileResource, Resource};
use crate::ports::container::{EndpointJob, Reach};
use crate::ports::job::{Collect, CustomJob, DirectoryJob, EndJob, FileJob, Job, RemoveJob, ServeJob, WorkJob};

impl Texts<'_> {
    /// Where the outputs of an attempt are written.
    fn output(&self, resource: Option<&Name>) -> PathBuf {
        let (phase, attempt) = (&self.planned().name, self.phase().attempt);
        let file = resource.map_or_else(|| format!("{phase}.{attempt}"), |resource| format!("{phase}.{resource}.{attempt}"));
        self.workspace.run(&self.run.id).join("outputs").join(file)
    }

    pub(super) fn log(&self, resource: Option<&Name>) -> PathBuf {
        self.workspace.log(&self.run.id, &self.planned().name, resource, self.phase().attempt)
    }

    /// The phase's command.
    pub(super) fn work_job(&self) -> Result<Job, TextError> {
        let planned = self.planned();
        let run = planned.spec.run.as_ref().ok_or_else(|| (Fault::System, "the phase has no command".to_owned()))?;
        if let Some(image) = &planned.spec.image {
            return self.work_inside_job(image, run);
        }
        let collect = self.collect()?;
        let command = self.work(run, self.log(None), &collect.output)?;
        let endpoint = Some(self.endpoint_job(None, Reach::of(&command.env))?);
        Ok(Job::Work(WorkJob { command, collect, endpoint }))
    }

    /// What is collected of the phase's command once it has ended.
    pub(super) fn collect(&self) -> Result<Collect, TextError> {
        let planned = self.planned();
        let folder = self.workspace.run(&self.run.id).join("artifacts").join(format!("{}.{}", planned.name, self.phase().attempt));
        Ok(Collect {
            output: self.output(None),
            artifacts: planned.spec.artifacts.iter().map(|pattern| self.text(pattern)).collect::<Result<_, _>>()?,
            artifacts_to: folder,
            workspace: self.workspace.root().to_owned(),
        })
    }

    /// A service.
    pub(super) fn serve_job(&self, name: &Name) -> Result<Job, TextError> {
        let resource = self.resource(name)?;
        if let Some(container) = &resource.container {
            return self.contain_job(name, resource, container);
        }
        let process = resource.process.as_ref().ok_or_else(|| (Fault::System, format!("{name} is not a process")))?;
        let command = self.service(process, resource.limits.as_ref(), self.log(Some(name)))?;
        let endpoint = Some(self.endpoint_job(Some(name), Reach::of(&command.env))?);
        Ok(Job::Serve(ServeJob { command, ports: self.ports(name, resource)?, endpoint }))
    }

    fn resource(&self, name: &Name) -> Result<&Resource, TextError> {
        self.planned().resource(name).ok_or_else(|| (Fault::System, format!("the plan has no resource {name}")))
    }

    /// A passive resource.
    pub(super) fn make_job(&self, name: &Name) -> Result<Job, TextError> {
        let resource = self.resource(name)?;
        if let Some(directory) = &resource.directory {
            let DirectoryFull { path, owner, mode } = match directory {
                Directory::Path(path) => DirectoryFull { path: path.clone(), owner: None, mode: None },
                Directory::Full(full) => full.clone(),
            };
            let owner = owner.map(|owner| self.text(&owner)).transpose()?.filter(|owner| !owner.is_empty());
            return Ok(Job::Directory(DirectoryJob { path: self.path(&path)?, owner, mode: mode.as_deref().map(octal).transpose()? }));
        }
        if let Some(FileResource { path, content, template, owner, mode }) = &resource.file {
            let content = match (content, template) {
                (Some(content), _) => self.text(content)?,
                (None, Some(file)) => {
                    let file = self.text(file)?;
                    let text = std::fs::read_to_string(self.workspace.root().join(&file));
                    self.text(&text.map_err(|error| (Fault::MissingFile, format!("failed to read the template {file}: {error}")))?)?
                }
                (None, None) => String::new(),
            };
            let owner = owner.as_ref().map(|owner| self.text(owner)).transpose()?.filter(|owner| !owner.is_empty());
            let mode = mode.as_deref().map(octal).transpose()?;
            return Ok(Job::File(FileJob { path: self.path(path)?, content, owner, mode }));
        }
        if let Some(port) = &resource.port {
            return Ok(Job::Port(self.port(name, port)?));
        }
        if let Some(custom) = &resource.custom {
            let (log, output) = (self.log(Some(name)), self.output(Some(name)));
            let exists = self.custom(custom, &custom.exists, log.clone(), &output)?;
            let act = self.custom(custom, &custom.create, log, &output)?;
            // What it makes is the resource's, and goes with it.
            let endpoint = EndpointJob { keeps: true, ..self.endpoint_job(Some(name), Reach::of(&act.env))? };
            return Ok(Job::Create(CustomJob { exists, act, timeout: custom.longest(), output, endpoint: Some(endpoint) }));
        }
        let object = self.object_job(resource)?;
        object.ok_or_else(|| (Fault::System, format!("this build cannot make {name}")))
    }

    /// The removal of a passive resource that some run made: of the paths where it was made, whatever the manifest says by now.
    pub(super) fn remove_job(&self, made: &Made, (above, others): (Vec<String>, Vec<String>)) -> Result<Job, TextError> {
        if !made.paths.is_empty() {
            let whole = |paths: &[String]| paths.iter().map(|path| self.workspace.root().join(path)).collect();
            return Ok(Job::RemovePaths(RemoveJob { paths: whole(&made.paths), above: whole(&above), others: whole(&others) }));
        }
        if made.kind.is_of_engine() {
            return self.remove_object_job(made);
        }
        let name = made.owner.resource.as_ref().ok_or_else(|| (Fault::System, format!("{} is not a resource", made.owner)))?;
        let resource = self.resource(name)?;
        if let Some(custom) = &resource.custom {
            let (log, output) = (self.log(Some(name)), self.output(Some(name)));
            let exists = self.custom(custom, &custom.exists, log.clone(), &output)?;
            let act = self.custom(custom, &custom.destroy, log, &output)?;
            let endpoint = Some(self.brief_endpoint(Some(name), Reach::of(&act.env))?);
            return Ok(Job::Destroy(CustomJob { exists, act, timeout: custom.longest(), output, endpoint }));
        }
        let path = resource.directory.as_ref().map(Directory::path).or(resource.file.as_ref().map(|file| file.path.as_str()));
        let path = path.ok_or_else(|| (Fault::System, format!("there is nothing to remove at {name}")))?;
        Ok(Job::RemovePaths(RemoveJob { paths: vec![self.path(path)?], above: Vec::new(), others: Vec::new() }))
    }

    pub(super) fn path(&self, path: &str) -> Result<PathBuf, TextError> {
        Ok(self.workspace.root().join(self.text(path)?))
    }
}

/// The end of a place: its scopes, and the processes that are known to have been started there.
pub(super) fn ending(state: &State, owner: &Owner, stop: StopPolicy, reach: Option<Reach>) -> Job {
    let mut processes: Vec<_> =
        state.effects.values().filter(|open| open.owner == *owner).filter_map(|open| open.process.clone()).collect();
    if let Some(process) = state.resource(owner).and_then(|resource| resource.process.clone())
        && !processes.contains(&process)
    {
        processes.push(process);
    }
    // What outlived its command is in that command's scope.
    processes.extend(
        state.leak(owner).and_then(|leak| leak.process.clone()).filter(|left| processes.iter().all(|process| process.scope != left.scope)),
    );
    Job::End(EndJob { owner: owner.clone(), stop, processes, reach })
}

/// A mode as it is written.
fn octal(text: &str) -> Result<u32, TextError> {
    u32::from_str_radix(text, 8).map_err(|_| (Fault::Template, format!("`{text}` is not a mode; write it like `0700`")))
}

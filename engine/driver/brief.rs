//! What a phase amounts to once its texts are rendered: whether it is wanted, its outputs, and the hash that tells whether it changed.

use std::collections::BTreeMap;
use std::fs;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::texts::{TextError, Texts};
use crate::base::digest::Digest;
use crate::base::name::Name;
use crate::kernel::action::Brief;
use crate::kernel::fault::Fault;
use crate::manifest::check::{Check, ContainerCheck, Http, Tcp};
use crate::manifest::phase::Condition;
use crate::manifest::port::Listen;
use crate::manifest::resource::Directory;
use crate::manifest::work::OneOrMany;

/// How many characters of a hash name a check.
const KEY: usize = 16;

impl Texts<'_> {
    /// Whether the phase is to take part.
    pub(super) fn wanted(&self) -> Result<bool, TextError> {
        match &self.planned().spec.when {
            None => Ok(true),
            Some(Condition::Boolean(wanted)) => Ok(*wanted),
            Some(Condition::Expression(expression)) => self.holds(expression),
        }
    }

    /// Looks at the phase, which is wanted.
    pub(super) fn brief(&self) -> Result<Brief, TextError> {
        let (spec, wanted) = (&self.planned().spec, true);
        let mut outputs = IndexMap::new();
        for (name, text) in &spec.outputs {
            outputs.insert(name.clone(), self.text(text)?);
        }
        let checks = spec.verify.as_ref().map_or(&[][..], |verify| &verify.checks);
        if checks.is_empty() && spec.resources.is_empty() {
            return Ok(Brief { wanted, outputs, ..Brief::default() });
        }
        let texts = self.with_outputs(outputs);
        let outputs = texts.outputs().clone();
        // What only the work will write cannot be rendered yet; the rest of the phase still has its hash.
        let concealed = texts.concealed();
        let rendered: Vec<Value> =
            checks.iter().map(|check| concealed.value(check).or_else(|_| raw(check))).collect::<Result<_, TextError>>()?;
        let keys = rendered.iter().map(|check| hash(check).chars().take(KEY).collect()).collect();
        let fingerprint = texts.fingerprint(&concealed, &rendered)?;
        let unconnected = texts.unconnected(checks)?;
        let subjects = texts.subjects(checks)?.into_iter().collect();
        let ports = self.chosen().to_vec();
        Ok(Brief { wanted, fingerprint, outputs, checks: keys, unconnected, subjects, ports })
    }

    /// The hash of work, inputs, resources and checks after templating.
    fn fingerprint(&self, concealed: &Texts<'_>, checks: &[Value]) -> Result<String, TextError> {
        let (plan, spec) = (&self.run.plan, &self.planned().spec);
        let mut amounts_to = json!({
            "run": concealed.value(&spec.run)?,
            "shell": spec.shell,
            "env": [concealed.value(&plan.env)?, concealed.value(&spec.env)?],
            "env_file": [concealed.value(&plan.env_file)?, concealed.value(&spec.env_file)?],
            "working_dir": [concealed.value(&plan.working_dir)?, concealed.value(&spec.working_dir)?],
            "user": [concealed.value(&spec.user)?, concealed.value(&spec.group)?],
            "resources": concealed.value(&spec.resources)?,
            "outputs": concealed.value(&spec.outputs)?,
            "checks": checks,
            "files": self.contents()?,
        });
        if let (Some(image), Some(amounts_to)) = (&spec.image, amounts_to.as_object_mut()) {
            amounts_to.insert("image".to_owned(), concealed.value(image)?);
            if !spec.networks.is_empty() || !spec.volumes.is_empty() {
                amounts_to.insert("image_has".to_owned(), json!([spec.networks, concealed.value(&spec.volumes)?]));
            }
        }
        let moved: Vec<_> = self.chosen().iter().filter(|port| port.taken_by.is_some()).map(|port| (&port.declared, port.port)).collect();
        if let (false, Some(amounts_to)) = (moved.is_empty(), amounts_to.as_object_mut()) {
            amounts_to.insert("ports".to_owned(), json!(moved));
        }
        Ok(hash(&amounts_to))
    }

    /// The hashes of the files that decide whether the work is up to date: inputs, build contexts, templates, environment files, scripts that are named.
    fn contents(&self) -> Result<BTreeMap<String, String>, TextError> {
        let (plan, spec, root) = (&self.run.plan, &self.planned().spec, self.workspace.root());
        let mut contents = BTreeMap::new();
        let builds = spec.resources.values().filter_map(|resource| resource.container.as_ref()?.build.as_ref());
        let patterns: Vec<String> = spec.inputs.iter().cloned().chain(builds.map(|folder| format!("{folder}/**/*"))).collect();
        for pattern in &patterns {
            let pattern = self.text(pattern)?;
            let paths = glob::glob(&root.join(&pattern).to_string_lossy())
                .map_err(|error| (Fault::Template, format!("failed to read the pattern `{pattern}`: {error}")))?;
            for path in paths.flatten().filter(|path| path.is_file()) {
                let content = fs::read(&path).map_err(|error| (Fault::System, format!("failed to read {}: {error}", path.display())))?;
                contents.insert(path.to_string_lossy().into_owned(), hex(&content));
            }
        }
        let templates = spec.resources.values().filter_map(|resource| resource.file.as_ref()?.template.as_ref());
        let env_files = plan.env_file.iter().chain(spec.env_file.iter().flat_map(OneOrMany::as_slice));
        let named = templates.chain(env_files).map(|file| self.text(file)).collect::<Result<Vec<_>, _>>()?;
        // A script is named as the shell finds it: from the folder that the command runs in.
        let folder = self.folder(None)?;
        let scripts = spec.run.iter().flat_map(super::shell::programs);
        let paths = named.into_iter().map(|file| (root.join(&file), file));
        for (path, file) in paths.chain(scripts.map(|script| (folder.join(&script), script))) {
            if let Ok(content) = fs::read(path) {
                contents.insert(file, hex(&content));
            }
        }
        Ok(contents)
    }

    /// The declared TCP ports that no check connects to. A command is taken to connect to every port that it, or its environment, names.
    fn unconnected(&self, checks: &[Check]) -> Result<Vec<String>, TextError> {
        let spec = &self.planned().spec;
        let mut missing = Vec::new();
        for (name, resource) in &spec.resources {
            for text in self.ports(name, resource)? {
                let Some(port) = text.parse::<Listen>().ok().filter(|listen| !listen.udp) else { continue };
                if !checks.iter().any(|check| self.connects(check, &port.port.to_string())) {
                    missing.push(text);
                }
            }
        }
        Ok(missing)
    }

    /// The resource of this phase that a check is about: the service whose port it connects to, the directory or the file that it looks into.
    /// A command may be about anything; nothing is said of it.
    fn subjects(&self, checks: &[Check]) -> Result<Vec<(u16, Name)>, TextError> {
        let mut subjects = Vec::new();
        for (check, index) in checks.iter().zip(0..).filter(|(check, _)| check.kind.exec.is_none()) {
            for (name, resource) in &self.planned().spec.resources {
                let ports = self.ports(name, resource)?;
                let connects =
                    ports.iter().filter_map(|text| text.parse::<Listen>().ok()).any(|port| self.connects(check, &port.port.to_string()));
                let path = resource.directory.as_ref().map(Directory::path).or(resource.file.as_ref().map(|file| file.path.as_str()));
                let looks = match (&check.kind.file, path) {
                    (Some(file), Some(path)) => file.exists() && self.path(file.path())?.starts_with(self.path(path)?),
                    _ => false,
                };
                let stands = match &check.kind.container {
                    Some(ContainerCheck::Name(about)) => about == name,
                    Some(ContainerCheck::Full(full)) => full.resource == *name,
                    None => false,
                };
                if connects || looks || stands {
                    subjects.push((index, name.clone()));
                }
            }
        }
        Ok(subjects)
    }

    fn connects(&self, check: &Check, port: &str) -> bool {
        let render = |text: &str| self.text(text).unwrap_or_else(|_| text.to_owned());
        let names = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|number| number == port);
        if let Some(http) = &check.kind.http {
            let url = match http {
                Http::Url(url) => render(url),
                Http::Request(request) => render(&request.url),
            };
            let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned();
            let given = authority.rsplit_once(':').map(|(_, port)| port.to_owned());
            let implied = if url.starts_with("https:") { "443" } else { "80" };
            return given.as_deref().unwrap_or(implied) == port;
        }
        match &check.kind.tcp {
            Some(Tcp::Address(address)) => return names(&render(address)),
            Some(Tcp::Talk(talk)) => return talk.address.as_deref().is_some_and(|address| names(&render(address))),
            None => {}
        }
        check.kind.exec.as_ref().is_some_and(|exec| {
            let command = serde_json::to_string(exec).unwrap_or_default();
            let (plan, spec) = (&self.run.plan, &self.planned().spec);
            names(&render(&command)) || plan.env.values().chain(spec.env.values()).any(|value| names(&render(&value.to_string())))
        })
    }
}

fn raw(check: &Check) -> Result<Value, TextError> {
    serde_json::to_value(check).map_err(|error| (Fault::Template, error.to_string()))
}

fn hash(value: &Value) -> String {
    hex(value.to_string().as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&Digest::of(bytes).hex()).into_owned()
}

//! A saved plan: what `sculpt plan FILE --out` writes and `sculpt run` carries out exactly, or refuses where anything that it was made
//! against has moved since.
//!
//! | it was made against | moved where |
//! |---|---|
//! | each text of the manifest, with its includes and reusable phases | its hash is another, or it is gone |
//! | the choices, and the environment that the compiler reads | the same texts compile to another plan |
//! | the goal's latest run | it was run since, or that run has ended, or it was taken down |
//! | what was up | something has come, gone, or is not as ready as it was |
//!
//! The file is JSON, and is known by its content. A hash over all of it shows that nobody has edited it: a plan is changed in its manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::context::{Context, now, with_outside};
use super::prepare::{Choices, compiled};
use crate::adapters::workspace::Workspace;
use crate::base::digest::Digest;
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::kernel::standing::Standing;
use crate::kernel::state::State;
use crate::manifest::node::Document;
use crate::plan::sealed::Plan;
use crate::views::outside::Outside;

/// The version of the file's form.
const FORM: u32 = 1;

/// A plan with what it was made against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The version of this form.
    sculpt_plan: u32,
    /// When it was made, RFC 3339.
    made: String,
    /// The manifest's path: from the workspace where it is inside, else absolute.
    manifest: PathBuf,
    /// What was chosen beside the manifest.
    set: Vec<String>,
    profiles: Vec<String>,
    /// SHA-256 of each text that the plan was compiled from, by its path.
    texts: BTreeMap<PathBuf, String>,
    /// What was there.
    against: Against,
    /// The plan.
    plan: Plan,
    /// SHA-256 of all of this with an empty seal, in hex.
    seal: String,
}

/// How a goal stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Against {
    /// The goal itself.
    goal: Standing,
    /// What lived: by place, who made it and how it stood.
    resources: BTreeMap<String, String>,
}

impl Against {
    fn of(state: &State, goal: &Name, outside: &Outside<'_>) -> Self {
        let standing = state.standing(goal);
        let Some(goal) = state.goals.get(goal) else { return Self::default() };
        let stands = goal.live_resources().map(|made| {
            let state = outside.look(made).state.word();
            (made.owner.to_string(), format!("{state}, made by attempt {} of {}", made.attempt, made.run))
        });
        Self { goal: standing, resources: stands.collect() }
    }

    /// What is otherwise now, in words.
    fn moved(&self, now: &Self) -> Vec<String> {
        let mut moved = Vec::new();
        match (&self.goal.run, &now.goal.run) {
            (None, Some(is)) => moved.push(format!("{is} was run since; before, there was no run")),
            (Some(was), Some(is)) if was != is => moved.push(format!("{is} was run since; it was made against {was}")),
            (Some(was), None) => moved.push(format!("nothing is known of {was} any more")),
            (_, run) => {
                if let Some(run) = run.as_ref().filter(|_| self.goal.running != now.goal.running) {
                    moved.push(format!("{run} {}", if now.goal.running { "goes on again" } else { "has ended since" }));
                }
                if self.goal.down != now.goal.down {
                    moved.push(format!("the goal {}", if now.goal.down { "was taken down since" } else { "is up again" }));
                }
            }
        }
        for (place, was) in &self.resources {
            match now.resources.get(place) {
                Some(is) if is == was => {}
                Some(is) => moved.push(format!("{place} is {is}; it was {was}")),
                None => moved.push(format!("{place} is gone; it was {was}")),
            }
        }
        let come = now.resources.iter().filter(|(place, _)| !self.resources.contains_key(*place));
        moved.extend(come.map(|(place, is)| format!("{place} has come: {is}")));
        moved
    }
}

impl Saved {
    /// A plan of a manifest, with what it is made against.
    ///
    /// # Errors
    /// Where the manifest's path cannot be followed.
    pub fn new(
        context: &Context,
        workspace: &Workspace,
        file: &str,
        choices: &Choices,
        made: (Plan, &Document),
        state: &State,
    ) -> Result<Self, Failure> {
        let (plan, document) = made;
        let place = |path: &str| placed(context, workspace, path);
        let texts = document.sources.iter().map(|source| Ok((place(&source.path)?, hash(source.text.as_bytes()))));
        let mut saved = Self {
            sculpt_plan: FORM,
            made: now().to_string(),
            manifest: place(file)?,
            set: choices.set.clone(),
            profiles: choices.profiles.clone(),
            texts: texts.collect::<Result<_, Failure>>()?,
            against: with_outside(workspace, |outside| Against::of(state, &plan.goal, outside)),
            plan,
            seal: String::new(),
        };
        saved.seal = saved.sum();
        Ok(saved)
    }

    /// Reads a saved plan; none where the file holds no such thing.
    ///
    /// # Errors
    /// Where it is one, and of another form, or was edited.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        // Whatever cannot be read as one is a manifest, and its loader says what is wrong with it.
        let Some(value) = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok()) else {
            return Ok(None);
        };
        let Some(form) = value.get("sculpt_plan") else { return Ok(None) };
        let shown = path.display();
        if form.as_u64() != Some(u64::from(FORM)) {
            return Err(Failure::usage(format!("`{shown}` is a plan of another form ({form})"), "make it anew with this `sculpt`"));
        }
        let saved = serde_json::from_value::<Self>(value).ok().filter(|saved| saved.seal == saved.sum());
        let altered = || Failure::usage(format!("`{shown}` is not as it was saved"), "change the manifest, and save its plan anew");
        saved.map(Some).ok_or_else(altered)
    }

    /// Writes it. A file that is there is replaced.
    ///
    /// # Errors
    /// Where that fails.
    #[expect(clippy::disallowed_methods, reason = "a file that the user asked for by its name; no phase is involved")]
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Failure::output(error.into()))?;
        std::fs::write(path, text).map_err(Failure::file("write", path))
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What has moved since it was made, in words; nothing where it may be carried out.
    ///
    /// # Errors
    /// Where the manifest does not compile any more.
    pub fn moved(&self, context: &Context, workspace: &Workspace, state: &State) -> Result<Vec<String>, Failure> {
        let mut moved = Vec::new();
        for (path, was) in &self.texts {
            match std::fs::read(workspace.root().join(path)) {
                Ok(text) if hash(&text) == *was => {}
                Ok(_) => moved.push(format!("`{}` has changed", path.display())),
                Err(error) => moved.push(format!("`{}` cannot be read: {error}", path.display())),
            }
        }
        if moved.is_empty() {
            let manifest = workspace.root().join(&self.manifest);
            let choices = Choices { set: self.set.clone(), profiles: self.profiles.clone() };
            let (mut plan, _) = compiled(context, workspace, &manifest.to_string_lossy(), &choices)?;
            plan.manifest.clone_from(&self.plan.manifest);
            if plan != self.plan {
                moved.push("the same texts make another plan: a loop, a name or a need depends on the environment".to_owned());
            }
        }
        moved.extend(with_outside(workspace, |outside| self.against.moved(&Against::of(state, &self.plan.goal, outside))));
        Ok(moved)
    }

    /// The same as a failure.
    ///
    /// # Errors
    /// Where anything has moved.
    pub fn must_hold(&self, context: &Context, workspace: &Workspace, file: &str, state: &State) -> Result<(), Failure> {
        let moved = self.moved(context, workspace, state)?;
        if moved.is_empty() {
            return Ok(());
        }
        let manifest = self.manifest.display().to_string();
        Err(Failure::Stale { file: file.to_owned(), manifest, moved })
    }

    fn sum(&self) -> String {
        let unsealed = Self { seal: String::new(), ..self.clone() };
        // It was made of JSON, or is about to be.
        hash(&serde_json::to_vec(&unsealed).unwrap_or_default())
    }
}

/// A path as it is kept: from the workspace's root where it is inside.
fn placed(context: &Context, workspace: &Workspace, path: &str) -> Result<PathBuf, Failure> {
    let absolute = context.path(path).canonicalize().map_err(Failure::file("find", path))?;
    Ok(absolute.strip_prefix(workspace.root()).map_or(absolute.clone(), Path::to_owned))
}

fn hash(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

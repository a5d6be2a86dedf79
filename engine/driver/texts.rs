//! The texts of a phase with their templates rendered: with values that exist only while a run goes on.

use std::cell::OnceCell;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::adapters::vault::Vault;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::kernel::chosen_port::ChosenPort;
use crate::kernel::fault::Fault;
use crate::kernel::state::{PhaseRun, Run};
use crate::manifest::template::{self, Context, TemplateError};
use crate::plan::sealed::{PhaseIx, PlannedPhase};

/// A text that cannot be rendered, or something that it names and that is not there.
pub(super) type TextError = (Fault, String);

/// A phase of a run, with all that its texts may name.
pub(super) struct Texts<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) run: &'a Run,
    pub(super) ix: PhaseIx,
    pub(super) env: Arc<IndexMap<String, String>>,
    vault: Vault,
    reveal: bool,
    /// The outputs that are being made, before the journal has them.
    fresh: Option<IndexMap<Name, String>>,
    /// The ports that are being chosen, before the journal has them.
    pub(super) choosing: Option<Vec<ChosenPort>>,
    context: OnceCell<Context>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(workspace: &'a Workspace, run: &'a Run, ix: PhaseIx, env: Arc<IndexMap<String, String>>, vault: Vault) -> Self {
        Self { workspace, run, ix, env, vault, reveal: true, fresh: None, choosing: None, context: OnceCell::new() }
    }

    /// The same with a keyed hash where a secret's value would stand: for the hashes that the journal keeps.
    pub(super) fn concealed(&self) -> Self {
        Self { reveal: false, ..self.with_outputs(self.outputs().clone()) }
    }

    /// The same with these outputs.
    pub(super) fn with_outputs(&self, outputs: IndexMap<Name, String>) -> Self {
        let (env, vault) = (Arc::clone(&self.env), self.vault.clone());
        let (workspace, run, ix, reveal) = (self.workspace, self.run, self.ix, self.reveal);
        let choosing = self.choosing.clone();
        Self { workspace, run, ix, env, vault, reveal, fresh: Some(outputs), choosing, context: OnceCell::new() }
    }

    pub(super) fn planned(&self) -> &'a PlannedPhase {
        self.run.plan.phase(self.ix)
    }

    pub(super) fn phase(&self) -> &'a PhaseRun {
        self.run.phase(self.ix)
    }

    /// Whether templates are switched on for this phase.
    pub(super) fn templates(&self) -> bool {
        self.planned().spec.templates.unwrap_or(true)
    }

    /// Renders a text.
    pub(super) fn text(&self, text: &str) -> Result<String, TextError> {
        if !self.templates() || !template::has_template(text) {
            return Ok(text.to_owned());
        }
        template::render(text, self.context()).map_err(|error| failed(&error))
    }

    /// Renders every text in a part of the manifest.
    pub(super) fn typed<T: Serialize + DeserializeOwned>(&self, part: &T) -> Result<T, TextError> {
        let value = self.value(part)?;
        serde_json::from_value(value).map_err(|error| (Fault::Template, format!("failed to read a rendered value: {error}")))
    }

    /// The same as a tree.
    pub(super) fn value<T: Serialize>(&self, part: &T) -> Result<Value, TextError> {
        let value = serde_json::to_value(part).map_err(|error| (Fault::Template, error.to_string()))?;
        if !self.templates() {
            return Ok(value);
        }
        template::render_value(&value, self.context()).map_err(|error| failed(&error))
    }

    /// Whether an expression holds.
    pub(super) fn holds(&self, expression: &str) -> Result<bool, TextError> {
        template::condition(expression, self.context()).map_err(|error| failed(&error))
    }

    fn context(&self) -> &Context {
        self.context.get_or_init(|| {
            let (plan, planned) = (&self.run.plan, self.planned());
            let mut context = Context::new().with("params", &plan.params).with("env", &*self.env).with("outputs", &self.outputs());
            for (name, value) in &planned.bindings {
                context.set(name, value);
            }
            context.set("phases", &self.phases());
            if self.reveal {
                context.set_secrets(self.vault.values());
            } else {
                context.set_secrets(self.vault.concealed());
            }
            self.set_resources(&mut context);
            context
        })
    }

    /// The outputs that this phase has by now: what it declares, and what its work wrote.
    pub(super) fn outputs(&self) -> &IndexMap<Name, String> {
        let phase = self.phase();
        if let Some(fresh) = &self.fresh {
            return fresh;
        }
        if phase.outputs.is_empty() { &phase.brief.outputs } else { &phase.outputs }
    }

    /// The phases whose outputs the texts name. The instances of a loop stand under its name, by their value.
    fn phases(&self) -> Map<String, Value> {
        let mut phases = Map::new();
        for &ix in &self.planned().reads {
            let (planned, phase) = (self.run.plan.phase(ix), self.run.phase(ix));
            let declared;
            let outputs = if phase.outputs.is_empty() {
                declared = self.declared(ix);
                &declared
            } else {
                &phase.outputs
            };
            let entry = json!({ "outputs": outputs, "outcome": phase.state.word() });
            match planned.name.as_str().strip_prefix(planned.origin.as_str()).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']')) {
                Some(instance) => {
                    let instances = phases.entry(planned.origin.as_str()).or_insert_with(|| Value::Object(Map::new()));
                    if let Some(instances) = instances.as_object_mut() {
                        instances.insert(instance.to_owned(), entry);
                    }
                }
                None => {
                    phases.insert(planned.name.as_str().to_owned(), entry);
                }
            }
        }
        phases
    }
}

impl Texts<'_> {
    /// The outputs that another phase declares, as far as they can be rendered before it has begun: a check that is asked before all work
    /// may name them.
    fn declared(&self, ix: PhaseIx) -> IndexMap<Name, String> {
        let other = Texts::new(self.workspace, self.run, ix, Arc::clone(&self.env), self.vault.clone());
        let outputs = &other.planned().spec.outputs;
        outputs.iter().filter_map(|(name, text)| Some((name.clone(), other.text(text).ok()?))).collect()
    }
}

pub(super) fn failed(error: &TemplateError) -> TextError {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    (Fault::Template, format!("{error}{hint}"))
}

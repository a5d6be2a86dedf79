//! `sculpt why PLACE`: why it is so, in sentences, with what a person can do about it.

mod goal;
mod phase;
mod resource;

use serde::Serialize;

use super::logs::LogFile;
use super::outside::Outside;
use super::place::{Found, NoPlace, find};
use super::replay::Replay;

/// Why it is so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The place.
    pub place: String,
    /// How it stands, in a word.
    pub state: String,
    /// The fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Why, in sentences.
    pub sentences: Vec<String>,
    /// What its checks said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckStory>,
    /// The attempts that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptStory>,
    /// The files with what was said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckStory {
    /// Its number, from 1.
    pub check: usize,
    /// What it asks.
    pub asks: String,
    /// What it said before the work; none where it was not asked.
    pub before: Option<AnswerStory>,
    /// What it said last.
    pub after: Option<AnswerStory>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerStory {
    /// Pass, fail or unknown.
    pub said: crate::kernel::answer::Said,
    /// The evidence.
    pub evidence: String,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptStory {
    /// Its number, from 1.
    pub attempt: u32,
    /// The fault.
    pub fault: String,
    /// The evidence.
    pub why: String,
}

/// Explains what stands at a place. Where the file of a log is, its caller knows.
pub fn why(replay: &Replay, outside: &Outside<'_>, path: &dyn Fn(&LogFile) -> String, place: &str) -> Result<Explanation, NoPlace> {
    let found = find(&replay.state, place)?;
    let mut explanation = Explanation { place: place.to_owned(), ..Explanation::default() };
    match &found {
        Found::Goal(name, known) => goal::explain(&mut explanation, name, known, replay, outside),
        Found::Phase(_, run, ix) => phase::explain(&mut explanation, run, *ix, replay, outside),
        Found::Resource(_, run, ix, name, made) => {
            let goal = replay.state.goals.get(&run.plan.goal);
            resource::explain(&mut explanation, goal, (run, *ix), name, *made, outside);
        }
    }
    if !matches!(found, Found::Goal(..)) {
        explanation.logs = super::logs::files(&found).iter().map(path).collect();
    }
    Ok(explanation)
}

impl Explanation {
    fn say(&mut self, sentence: impl Into<String>) {
        self.sentences.push(sentence.into());
    }

    fn hint(&mut self, hint: impl Into<String>) {
        self.hints.push(hint.into());
    }
}

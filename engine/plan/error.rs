//! Why a goal has no plan.

use crate::base::name::Name;
use crate::manifest::template::TemplateError;

/// How many phases a plan may have, instances of loops counted.
pub const MAX_PHASES: usize = 100_000;

/// How many edges a plan may have.
pub const MAX_EDGES: usize = 10_000_000;

/// Why a goal has no plan. What the rules of the manifest refuse comes here only from a goal that they have not seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A profile was chosen that no phase names.
    #[error("failed to choose the profile `{profile}`: no phase has it")]
    UnknownProfile {
        /// The profile.
        profile: Name,
        /// The profiles that there are.
        known: Vec<Name>,
    },
    /// Every phase belongs to a profile that is not chosen.
    #[error("failed to plan: every phase belongs to a profile, and none of them is chosen")]
    Empty {
        /// The profiles that there are.
        known: Vec<Name>,
    },
    /// A need that is no phase.
    #[error("failed to plan `{phase}`: it needs `{need}`, and there is no such phase")]
    UnknownNeed {
        /// The phase.
        phase: Name,
        /// What it needs.
        need: Name,
    },
    /// A needed phase takes no part, since its profiles are not chosen.
    #[error("failed to plan `{phase}`: it needs `{need}`, which takes part only with the profile {}", either(profiles))]
    LeftOut {
        /// The phase.
        phase: Name,
        /// What it needs.
        need: Name,
        /// The profiles of what it needs.
        profiles: Vec<Name>,
    },
    /// Phases that need each other.
    #[error("failed to plan: these phases need each other: {}", circle(phases))]
    Cycle {
        /// Each needs the next, the last needs the first.
        phases: Vec<Name>,
    },
    /// Two phases of one name.
    #[error("failed to plan `{phase}`: it stands under `phases` and under `finally`")]
    Twice {
        /// The phase.
        phase: Name,
    },
    /// The values of a loop cannot be computed.
    #[error("failed to plan `{phase}`: its `for_each` has no value")]
    Loop {
        /// The phase.
        phase: Name,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A loop over something that is no list.
    #[error("failed to plan `{phase}`: its `for_each` is {found}, not a list")]
    NotAList {
        /// The phase.
        phase: Name,
        /// What it is.
        found: String,
    },
    /// More than [`MAX_PHASES`].
    #[error("failed to plan `{phase}`: with its instances the goal has more than {MAX_PHASES} phases")]
    TooManyPhases {
        /// The phase with which there are too many.
        phase: Name,
    },
    /// More than [`MAX_EDGES`].
    #[error("failed to plan `{phase}`: with what it needs the plan has more than {MAX_EDGES} edges")]
    TooManyEdges {
        /// The phase with which there are too many.
        phase: Name,
    },
    /// A resource that depends on one that the phase does not have.
    #[error("failed to plan `{phase}`: its resource `{resource}` depends on `{dependency}`, and the phase has no such resource")]
    UnknownDependency {
        /// The phase.
        phase: Name,
        /// The resource.
        resource: Name,
        /// What it depends on.
        dependency: Name,
    },
    /// Resources that wait for each other.
    #[error("failed to plan `{phase}`: these resources wait for each other: {}", circle(resources))]
    ResourceCycle {
        /// The phase.
        phase: Name,
        /// Each waits for the next, the last for the first.
        resources: Vec<Name>,
    },
    /// A resource that must start before the work, and depends on one that starts after it.
    #[error(
        "failed to plan `{phase}`: its resource `{resource}` starts before the work, and `{dependency}`, on which it depends, after it"
    )]
    StartsTooEarly {
        /// The phase.
        phase: Name,
        /// The resource.
        resource: Name,
        /// What it depends on.
        dependency: Name,
    },
    /// What is required cannot be computed before the run.
    #[error("failed to plan{}: what it requires has no value before the run", of(phase.as_ref()))]
    Requires {
        /// The phase; none where it is the goal itself.
        phase: Option<Name>,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// What is required is, once computed, nothing that can be required.
    #[error("failed to plan{}: what it requires is wrong once it is computed: {why}", of(phase.as_ref()))]
    WrongRequires {
        /// The phase; none where it is the goal itself.
        phase: Option<Name>,
        /// Why.
        why: String,
    },
}

impl PlanError {
    /// The name of the rule, as in diagnostics of a manifest.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::UnknownProfile { .. } => "unknown-profile",
            Self::Empty { .. } => "nothing-to-do",
            Self::UnknownNeed { .. } => "unknown-need",
            Self::LeftOut { .. } => "left-out-need",
            Self::Cycle { .. } => "cyclic-needs",
            Self::Twice { .. } => "two-phases-of-one-name",
            Self::Loop { .. } | Self::NotAList { .. } => "loop-values",
            Self::TooManyPhases { .. } | Self::TooManyEdges { .. } => "too-large",
            Self::UnknownDependency { .. } => "unknown-dependency",
            Self::ResourceCycle { .. } => "cyclic-dependency",
            Self::StartsTooEarly { .. } => "starts-too-early",
            Self::Requires { .. } | Self::WrongRequires { .. } => "requires-value",
        }
    }

    /// The phase that it is about, and the key in it; so its place in the text can be found. None where it is about the goal.
    pub fn place(&self) -> Option<(&Name, &'static str)> {
        match self {
            Self::UnknownProfile { .. } | Self::Empty { .. } => None,
            Self::UnknownNeed { phase, .. } | Self::LeftOut { phase, .. } | Self::TooManyEdges { phase } => Some((phase, "needs")),
            Self::Cycle { phases } => phases.last().map(|phase| (phase, "needs")),
            Self::Loop { phase, .. } | Self::NotAList { phase, .. } => Some((phase, "for_each")),
            Self::Twice { phase } | Self::TooManyPhases { phase } => Some((phase, "")),
            Self::UnknownDependency { phase, .. } | Self::ResourceCycle { phase, .. } | Self::StartsTooEarly { phase, .. } => {
                Some((phase, "resources"))
            }
            Self::Requires { phase, .. } | Self::WrongRequires { phase, .. } => phase.as_ref().map(|phase| (phase, "requires")),
        }
    }

    /// What to do, where something can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownProfile { known, .. } if known.is_empty() => Some("no phase of the goal has `profiles`".to_owned()),
            Self::UnknownProfile { known, .. } => Some(format!("there is {}", list(known, ", "))),
            Self::Empty { known } => Some(format!("choose one with `--profile`: {}", list(known, ", "))),
            Self::LeftOut { need, profiles, .. } => {
                let choose = profiles.first().map_or_else(String::new, |profile| format!("choose it with `--profile {profile}`, or "));
                Some(format!("{choose}give the phase the profiles of `{need}`"))
            }
            Self::Cycle { .. } => Some("an arrow reads \"needs\": take one of them out".to_owned()),
            Self::NotAList { .. } => Some("a text becomes a list with `split`: `params.names | split(',')`".to_owned()),
            Self::StartsTooEarly { dependency, .. } => {
                Some(format!("give `{dependency}` `start: before`, or take the other's `start` out"))
            }
            Self::Requires { .. } => Some("before the run there are `params`, and `item` or `matrix` in a loop".to_owned()),
            Self::Loop { source, .. } => source.hint.clone(),
            _ => None,
        }
    }
}

fn list(names: &[Name], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

fn either(names: &[Name]) -> String {
    list(names, " or ")
}

fn circle(names: &[Name]) -> String {
    names.iter().chain(names.first()).map(Name::as_str).collect::<Vec<_>>().join(" → ")
}

fn of(phase: Option<&Name>) -> String {
    phase.map(|phase| format!(" `{phase}`")).unwrap_or_default()
}

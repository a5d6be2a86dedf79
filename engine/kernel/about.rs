//! What a record is about: its kind, its run and its phase.

use super::action::RunId;
use super::record::Record;
use crate::plan::sealed::PhaseIx;

impl Record {
    /// The record's kind, as the journal writes it.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::EngineStarted { .. } => "engine_started",
            Self::RunStarted { .. } => "run_started",
            Self::Admitted { .. } => "admitted",
            Self::Yielded { .. } => "yielded",
            Self::Pressure { .. } => "pressure",
            Self::PressureUnknown { .. } => "pressure_unknown",
            Self::Held { .. } => "held",
            Self::Briefed { .. } => "briefed",
            Self::Replacing { .. } => "replacing",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::Requested { .. } => "requested",
            Self::Adopted { .. } => "adopted",
            Self::Observed { .. } => "observed",
            Self::ResourceReady { .. } => "resource_ready",
            Self::ResourceUnhealthy { .. } => "resource_unhealthy",
            Self::Suspected { .. } => "suspected",
            Self::SuspectAdopted { .. } => "suspect_adopted",
            Self::ResourceGone { .. } => "resource_gone",
            Self::Told { .. } => "told",
            Self::Restarting { .. } => "restarting",
            Self::NotRestarted { .. } => "not_restarted",
            Self::LookedAround { .. } => "looked_around",
            Self::Collected { .. } => "collected",
            Self::Leaked { .. } => "leaked",
            Self::Worked { .. } => "worked",
            Self::Answered { .. } => "answered",
            Self::Asked { .. } => "asked",
            Self::Replied { .. } => "replied",
            Self::Closing { .. } => "closing",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::PhaseEnded { .. } => "phase_ended",
            Self::Carried { .. } => "carried",
            Self::Stopping { .. } => "stopping",
            Self::RunEnded { .. } => "run_ended",
            Self::Reverified { .. } => "reverified",
            Self::DownStarted { .. } => "down_started",
            Self::DownEnded { .. } => "down_ended",
            Self::Forgotten { .. } => "forgotten",
            Self::Pruned { .. } => "pruned",
            Self::Quarantined { .. } => "quarantined",
        }
    }

    /// The run that the record is about.
    pub const fn run(&self) -> Option<&RunId> {
        match self {
            Self::RunStarted { run, .. }
            | Self::Admitted { run }
            | Self::Yielded { run }
            | Self::Held { run, .. }
            | Self::Briefed { run, .. }
            | Self::Replacing { run, .. }
            | Self::AttemptStarted { run, .. }
            | Self::Worked { run, .. }
            | Self::Answered { run, .. }
            | Self::Asked { run, .. }
            | Self::Replied { run, .. }
            | Self::Closing { run, .. }
            | Self::AttemptFailed { run, .. }
            | Self::PhaseEnded { run, .. }
            | Self::Carried { run, .. }
            | Self::Stopping { run, .. }
            | Self::RunEnded { run, .. }
            | Self::Reverified { run } => Some(run),
            _ => None,
        }
    }

    /// The phase that the record is about.
    pub const fn phase(&self) -> Option<PhaseIx> {
        match self {
            Self::Held { phase, .. }
            | Self::Briefed { phase, .. }
            | Self::Replacing { phase, .. }
            | Self::AttemptStarted { phase, .. }
            | Self::Worked { phase, .. }
            | Self::Answered { phase, .. }
            | Self::Asked { phase, .. }
            | Self::Replied { phase, .. }
            | Self::Closing { phase, .. }
            | Self::AttemptFailed { phase, .. }
            | Self::PhaseEnded { phase, .. }
            | Self::Carried { phase, .. } => Some(*phase),
            _ => None,
        }
    }
}

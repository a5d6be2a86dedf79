//! Questions about a container: how it stands, and what a command inside says.

use super::contain::ContainError;
use super::fleets::Fleets;
use crate::adapters::docker::exec::Executed;
use crate::adapters::docker::standing::{Health, Standing};
use crate::adapters::process::foreign::kill_in;
use crate::base::time::Span;
use crate::kernel::answer::Answer;
use crate::kernel::fault::Fault;
use crate::ports::container::Reach;

/// How a container stands, against what is wanted: `running` (and healthy, where its image asks for that) where nothing is said. Where its
/// health is wanted and not known yet, that is waited for, no longer than this.
pub(super) async fn stands(fleets: &Fleets, reach: &Reach, container: Option<&str>, wanted: Option<&str>, patience: Span) -> Answer {
    let looked = async {
        match container {
            Some(id) if matches!(wanted, None | Some("healthy" | "unhealthy")) => {
                Ok(fleets.find(reach).await?.settled(id, patience).await?)
            }
            Some(id) => Ok(fleets.find(reach).await?.standing(id).await?),
            None => Ok(None),
        }
    };
    let standing = match looked.await {
        Ok(standing) => standing,
        Err(error) => return broken(&error),
    };
    let said = match standing {
        None => "gone",
        Some(Standing { running: false, .. }) => "exited",
        Some(Standing { health: Health::Starting, .. }) => "starting",
        Some(Standing { health: Health::Unhealthy, .. }) => "unhealthy",
        Some(Standing { health: Health::Healthy, .. }) => "healthy",
        Some(Standing { health: Health::Unasked, .. }) => "running",
    };
    let holds = match wanted {
        None => matches!(said, "running" | "healthy"),
        Some("running") => matches!(said, "running" | "healthy" | "starting" | "unhealthy"),
        Some(wanted) => said == wanted,
    };
    let code = standing.and_then(|standing| standing.ended).map(|ended| format!(" with code {}", ended.code)).unwrap_or_default();
    let evidence = format!("the container is {said}{code}");
    match (holds, said) {
        (true, _) => Answer::pass(evidence),
        (false, "gone" | "exited") => Answer::fail(Fault::ServiceExited, evidence),
        (false, _) => Answer::fail(Fault::NotReady, evidence),
    }
}

/// Runs a command inside a container. Exit 0 is pass, 1 to 125 fail; anything else is no answer. One that goes on after its time was over
/// has no second beside it.
pub(super) async fn execute(fleets: &Fleets, reach: &Reach, container: Option<&str>, argv: &[String]) -> Answer {
    let Some(id) = container else { return Answer::fail(Fault::ServiceExited, "its container is gone") };
    let executed = async {
        let fleet = fleets.find(reach).await?;
        if let Some(before) = fleets.asked_inside(id)
            && fleet.exec_runs(&before).await?.is_some()
        {
            return Ok(None);
        }
        let executed = fleet.exec(id, argv, &[], |exec| fleets.asks_inside(id, exec)).await?;
        fleets.asked_no_more(id);
        Ok(Some(executed))
    };
    let executed: Executed = match executed.await {
        Ok(Some(executed)) => executed,
        Ok(None) => return Answer::unknown(Fault::TimedOut, "its command of before has not ended"),
        Err(error) => return broken(&error),
    };
    let output = String::from_utf8_lossy(&executed.output);
    let last: String = output.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().chars().take(200).collect();
    let last = if last.is_empty() { last } else { format!(": {last}") };
    match executed.code {
        0 => Answer::pass("exit 0"),
        127 => Answer::unknown(Fault::MissingCommand, format!("its command was not found in the container{last}")),
        126 => Answer::unknown(Fault::Permission, format!("its command cannot be executed in the container{last}")),
        code @ 1..=125 => Answer::fail(Fault::CheckFailed, format!("exit {code}{last}")),
        code => Answer::unknown(Fault::CheckerBroken, format!("its command ended with {code}{last}")),
    }
}

/// Kills a command inside a container whose time is over. One in a container engine elsewhere goes on: it is not seen from here.
pub(super) async fn give_up(fleets: &Fleets, reach: &Reach, container: Option<&str>) {
    let Some((id, exec)) = container.and_then(|id| Some((id, fleets.asked_inside(id)?))) else { return };
    let Ok(fleet) = fleets.find(reach).await else { return };
    if let Ok(Some(pid)) = fleet.exec_runs(&exec).await {
        // Where it would not go, the next one finds it and does not begin.
        drop(kill_in(pid, id));
    }
}

fn broken(error: &ContainError) -> Answer {
    Answer::unknown(Fault::CheckerBroken, error.to_string())
}

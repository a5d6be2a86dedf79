//! What a call asks of networks: those that are joined, the containers that are to be found there, and what they stand on.

use std::path::Path;

use super::capability::{Capability, Refusal};
use super::facts::{Facts, Thing};
use super::host;
use super::json::{Json, Malformed};
use super::policy::{Policy, Resolve};

/// The networks that a container joins beside its mode, and the containers that it is to find there.
pub(super) fn networking(body: &Json) -> Result<Vec<Thing>, Malformed> {
    let Some(networking) = body.field("NetworkingConfig")? else { return Ok(Vec::new()) };
    let mut things = Vec::new();
    for (name, settings) in networking.entries_of("EndpointsConfig")? {
        things.push(Thing::Network(name.clone()));
        things.extend(endpoint(settings)?);
    }
    Ok(things)
}

/// The same of one network: its id outweighs the name.
pub(super) fn endpoint(settings: &Json) -> Result<Vec<Thing>, Malformed> {
    let Json::Object(_) = settings else { return Ok(Vec::new()) };
    let mut things = host::links(settings)?;
    let id = settings.text_of("NetworkID")?;
    if !id.is_empty() {
        things.push(Thing::Network(id.into_owned()));
    }
    Ok(things)
}

pub(super) fn join(things: &[Thing], policy: &Policy, facts: &Facts) -> Result<(), Refusal> {
    things.iter().try_for_each(|thing| match thing {
        Thing::Network(name) => host::network(policy, facts, name),
        other => facts.own(policy, "a link to", other),
    })
}

/// The network that another one takes its configuration from.
pub(super) fn origin(body: &Json) -> Result<Option<Thing>, Malformed> {
    let Some(from) = body.field("ConfigFrom")? else { return Ok(None) };
    let name = from.text_of("Network")?;
    Ok((!name.is_empty()).then(|| Thing::Network(name.into_owned())))
}

/// A bridge that is the host's is the host's network.
pub(super) fn bridge(body: &Json, policy: &Policy, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    for (key, value) in body.entries_of("Options")? {
        let name = value.as_text(key)?;
        if !key.eq_ignore_ascii_case("com.docker.network.bridge.name") || name.is_empty() {
            continue;
        }
        // An interface that is there is a link to its device.
        let place = Path::new("/sys/class/net").join(&name);
        if resolve(&place).is_none_or(|real| real != place) {
            policy.require(format!("the host's bridge {name}"), Capability::Word("host-network"))?;
        }
    }
    Ok(())
}

//! Volumes without a name: those that a container asks for, and those that its image declares, as every database's does.
//!
//! | such a volume is | by |
//! |---|---|
//! | made with our labels, and still without a name: `rm -v` and `--rm` take it | asking for it as a mount without a source; by itself the engine writes no label on it |
//! | handed on by its name to the container that takes another's place, as Compose does | its labels: it is this workspace's |
//! | removed | whoever removes the last container that has it: the engine takes only what was made with that very container |

use std::path::{Component, Path};

use super::facts::{Facts, Thing};
use super::host::{Source, bind};
use super::json::{Json, Malformed};

/// The image of a container that is about to be made.
pub(super) fn image(body: &Json) -> Result<Option<Thing>, Malformed> {
    let name = body.text_of("Image")?;
    Ok((!name.is_empty()).then(|| Thing::Image(name.into_owned())))
}

/// Asks for each of them as a mount, where nothing else is mounted there.
pub(super) fn mount(body: &mut Json, facts: &Facts) -> Result<(), Malformed> {
    let mut wanted: Vec<String> = body.entries_of("Volumes")?.iter().map(|(target, _)| target.clone()).collect();
    wanted.extend(image(body)?.iter().flat_map(|image| facts.targets(image)).cloned());
    let host = body.object("HostConfig")?;
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for item in host.items_of("Binds")? {
        let text = item.as_text("Binds")?;
        if bind(&text) == Source::Anonymous && place(&text).is_some() {
            wanted.push(text);
            continue;
        }
        taken.extend(text.split(':').nth(1).and_then(place));
        kept.push(item.clone());
    }
    for mount in host.items_of("Mounts")? {
        taken.extend(place(&mount.text_of("Target")?));
    }
    taken.extend(host.entries_of("Tmpfs")?.iter().filter_map(|(target, _)| place(target)));
    // What is taken from another container counts before what the image declares.
    for text in host.texts_of("VolumesFrom")? {
        let from = Thing::Container(text.split(':').next().unwrap_or_default().to_owned());
        taken.extend(facts.targets(&from).iter().filter_map(|target| place(target)));
    }
    let mut wanted: Vec<String> = wanted.iter().filter_map(|target| place(target)).filter(|target| !taken.contains(target)).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
    let driver = host.text_of("VolumeDriver")?;
    let mut mounts = host.items_of("Mounts")?.to_vec();
    for target in wanted {
        let mut mount = Json::Object(Vec::new());
        mount.set("Type", Json::text("volume"))?;
        mount.set("Target", Json::text(&target))?;
        if !driver.is_empty() {
            mount.object("VolumeOptions")?.object("DriverConfig")?.set("Name", Json::text(&driver))?;
        }
        mounts.push(mount);
    }
    host.set("Mounts", Json::Array(mounts))?;
    if host.items_of("Binds")?.len() != kept.len() {
        host.set("Binds", Json::Array(kept))?;
    }
    Ok(())
}

/// A place inside of a container, as the engine compares it. None of what is no whole path, and of what Podman would read otherwise once it is a
/// mount's: of those the engine makes what it makes.
fn place(target: &str) -> Option<String> {
    if !target.starts_with('/') || target.contains([',', '"', '\n', '\r', ':']) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_compared_as_the_engine_does_and_is_what_it_says_to_every_reader() {
        for (target, expected) in [("/data", "/data"), ("/var//lib/./db/", "/var/lib/db"), ("/a/../../b", "/b")] {
            assert_eq!(place(target).as_deref(), Some(expected), "{target}");
        }
        for target in ["", "/", "/..", "data", "./data", "/x,source=/", "/x:/y", "/x\"", "/x\ny"] {
            assert_eq!(place(target), None, "{target}");
        }
    }
}

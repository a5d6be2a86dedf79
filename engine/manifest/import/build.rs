//! `build` and `image` → `container.build` or `container.image`.

use serde_json::{Map, Value};

use super::finding::Findings;
use super::item::Item;
use super::keys::BUILD;
use super::paths::mapped;

/// Writes where the image of a service comes from.
pub(super) fn image(service: &Item<'_>, folder: &str, container: &mut Map<String, Value>, findings: &mut Findings<'_>) {
    let image = service.get("image");
    let Some(build) = service.get("build") else {
        match image {
            Some(image) => drop(findings.text(&image).map(|text| container.insert("image".to_owned(), text.into()))),
            None => no_image(service, findings),
        }
        return;
    };
    let context = if build.node.map().is_some() {
        findings.sort_out(&build, BUILD);
        dockerfile(&build, findings);
        build.get("context")
    } else {
        Some(build.clone())
    };
    let path = match &context {
        Some(context) => findings.template(context),
        None => Some(super::interpolate::Template::literal(".")),
    };
    let Some(path) = path else { return };
    let text = path.render();
    let at = context.as_ref().unwrap_or(&build);
    if text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/") {
        findings.not_mapped(at, "a build context is a folder of the workspace", "clone it first, in a phase of its own");
        if let Some(text) = image.and_then(|image| findings.text(&image)) {
            container.insert("image".to_owned(), text.into());
        }
        return;
    }
    let there = mapped(folder, &path);
    if let Some(doubt) = there.doubt {
        findings.differs(at, doubt, "a goal that builds from its own workspace works everywhere");
    }
    let path = if there.path.is_empty() { ".".to_owned() } else { there.path };
    container.insert("build".to_owned(), path.into());
    if let Some(image) = image {
        findings.not_mapped(&image, "sculpt names the image that it builds", "");
    }
}

fn dockerfile(build: &Item<'_>, findings: &mut Findings<'_>) {
    let Some(item) = build.get("dockerfile") else { return };
    let Some(text) = findings.text(&item) else { return };
    if text.trim_start_matches("./") != "Dockerfile" {
        let hint = "name it `Dockerfile` in a context of its own, or build in a phase: `run: docker build -f …`";
        findings.not_mapped(&item, "`container.build` is the context alone, and its `Dockerfile` is built", hint);
    }
}

fn no_image(service: &Item<'_>, findings: &mut Findings<'_>) {
    // What another program manages has none, and what another file says is not known.
    if service.get("provider").is_none() && service.get("extends").is_none() {
        let message = format!("`{}` has neither `image` nor `build`", service.path);
        findings.error(service, "no-image", message, "a service needs one of them");
    }
}

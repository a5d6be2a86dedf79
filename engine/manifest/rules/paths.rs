//! `path-clash`: two resources that own one directory or file.

use std::collections::HashMap;

use super::Facts;
use crate::base::diagnostic::Diagnostic;
use crate::manifest::resource::Directory;
use crate::manifest::template;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut owners: HashMap<String, String> = HashMap::new();
    for phase in facts.phases.values() {
        for (name, resource) in &phase.phase.resources {
            let (key, path) = match (&resource.directory, &resource.file) {
                (Some(Directory::Path(path)), _) => ("directory", path),
                (Some(Directory::Full(directory)), _) => ("directory", &directory.path),
                (None, Some(file)) => ("file", &file.path),
                (None, None) => continue,
            };
            // What a template gives is known when it is rendered; the engine refuses a clash then.
            if template::has_template(path) {
                continue;
            }
            let place = format!("{}/{name}", phase.name);
            let Some(first) = owners.insert(plain(path), place) else { continue };
            found.push(
                facts
                    .document
                    .error_at(
                        &phase.path(&["resources", name.as_str(), key]),
                        "path-clash",
                        format!("`{path}` already belongs to `{first}`"),
                    )
                    .hint("one owner makes it and takes it away; the others just use the path"),
            );
        }
    }
}

/// A path without `.` and doubled slashes.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

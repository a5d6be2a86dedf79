//! Paths beside the Compose file → paths of the workspace.

use super::interpolate::Template;

/// A path as a goal writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    /// The path: relative to the workspace without `./`, or absolute.
    pub(super) path: String,
    /// What may be wrong with it.
    pub(super) doubt: Option<&'static str>,
}

const OUTSIDE: &str = "the path is outside the workspace, which a goal does not own";
const VARIABLE: &str = "only the run knows where the variable leads; a relative path starts at the workspace, not at this file";

/// The path of what a file in `folder` (of the workspace, empty for its root) names.
pub(super) fn mapped(folder: &str, path: &Template) -> Mapped {
    let Some(plain) = path.plain() else {
        // Only the run knows where a variable leads.
        let text = path.render();
        let rest = text.strip_prefix("./").unwrap_or(&text);
        let absolute = text.starts_with('/') || text.starts_with("{{");
        let path = if absolute || folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") };
        let doubt = if text.starts_with("{{") { Some(VARIABLE) } else { (absolute || rest.starts_with("..")).then_some(OUTSIDE) };
        return Mapped { path, doubt };
    };
    if plain == "~" || plain.starts_with("~/") {
        return Mapped { path: format!("{{{{ env.HOME }}}}{}", Template::literal(&plain[1..]).render()), doubt: Some(OUTSIDE) };
    }
    if plain.starts_with('/') {
        return Mapped { path: path.render(), doubt: Some(OUTSIDE) };
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(plain.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let outside = folder.starts_with('/') || parts.first() == Some(&"..");
    let root = if folder.starts_with('/') { "/" } else { "" };
    Mapped { path: Template::literal(&format!("{root}{}", parts.join("/"))).render(), doubt: outside.then_some(OUTSIDE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_workspace() {
        for (folder, path, expected, doubt) in [
            ("", "./data", "data", None),
            ("deploy", "./data/", "deploy/data", None),
            ("deploy", "../data", "data", None),
            ("deploy", "../../data", "../data", Some(OUTSIDE)),
            ("", ".", "", None),
            ("", "/etc/x", "/etc/x", Some(OUTSIDE)),
            ("", "~/x", "{{ env.HOME }}/x", Some(OUTSIDE)),
            ("/elsewhere", "./x", "/elsewhere/x", Some(OUTSIDE)),
            ("deploy", "./${A:-b}/x", "deploy/{{ env.A | default('b', true) }}/x", None),
            ("deploy", "${A:-/b}", "{{ env.A | default('/b', true) }}", Some(VARIABLE)),
        ] {
            let found = mapped(folder, &Template::parse(path).expect(path));
            assert_eq!(found, Mapped { path: expected.to_owned(), doubt }, "{folder} {path}");
        }
    }
}

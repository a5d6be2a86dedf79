//! A `sculpt` that the command of a phase has started: what it begins belongs to that attempt.

use std::fs::canonicalize;
use std::path::Path;

use crate::adapters::workspace::Workspace;
use crate::base::marks::{ATTEMPT, PHASE, RUN, WORKSPACE};
use crate::kernel::action::RunId;
use crate::kernel::nesting::Parent;

/// The attempt whose command this process belongs to, by its environment; none where that is of another workspace.
pub fn parent(workspace: &Workspace) -> Option<Parent> {
    parent_of(workspace.root(), &|name| std::env::var(name).ok())
}

fn parent_of(root: &Path, env: &dyn Fn(&str) -> Option<String>) -> Option<Parent> {
    let of = env(WORKSPACE)?;
    let same =
        of == root.to_string_lossy() || canonicalize(Path::new(&of)).ok().is_some_and(|of| canonicalize(root).is_ok_and(|root| root == of));
    let attempt = env(ATTEMPT)?.parse().ok()?;
    same.then_some(Parent { run: RunId(env(RUN)?), phase: env(PHASE)?.as_str().into(), attempt, left: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_of_another_workspace_is_no_parent() {
        let env = |root: &'static str, attempt: &'static str| {
            move |name: &str| match name {
                WORKSPACE => Some(root.to_owned()),
                RUN => Some("g.2".to_owned()),
                PHASE => Some("p[a]".to_owned()),
                ATTEMPT => Some(attempt.to_owned()),
                _ => None,
            }
        };
        let root = Path::new("/somewhere/w");
        let parent = parent_of(root, &env("/somewhere/w", "3")).expect("it is the same workspace");
        assert_eq!((parent.run.0.as_str(), parent.phase.as_str(), parent.attempt), ("g.2", "p[a]", 3));
        assert_eq!(parent_of(root, &env("/somewhere", "3")), None);
        assert_eq!(parent_of(root, &env("/somewhere/w", "x")), None);
        assert_eq!(parent_of(root, &|_| None), None);
    }
}

//! How a group of the pool is limited: the files of each limit written, in whichever hierarchy has its controller.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, failed};
use super::group::Limited;
use super::pool::Pool;
use super::setting::{SWAP, settings, unlimited};
use crate::adapters::process::delegation::is_crowded;
use crate::adapters::process::limits::{Enforcement, Limit, Limits};
use crate::adapters::process::scope::ScopeError;

impl Pool {
    pub(super) fn apply(&self, name: &str, limits: &Limits) -> (Vec<Limited>, Enforcement) {
        let (mut all, mut enforcement) = (Vec::new(), Enforcement::default());
        for limit in limits.declared() {
            match self.apply_one(name, limit, limits) {
                Ok(limited) => {
                    all.push(limited);
                    enforcement.enforced.push(limit);
                }
                Err(why) => enforcement.refused.push((limit, why.to_string())),
            }
        }
        (all, enforcement)
    }

    fn apply_one(&self, name: &str, limit: Limit, limits: &Limits) -> Result<Limited, ScopeError> {
        let limited = self.directory(name, limit)?;
        for (file, text) in settings(limit, limits, limited.procs.is_some()) {
            let path = limited.dir.join(file);
            if !SWAP.contains(&file) || path.exists() {
                files::write(&path, &text).map_err(failed(&format!("write {text} to"), &path))?;
            }
        }
        Ok(limited)
    }

    /// Takes a limit away from a group where it may have one.
    pub(super) fn lift(&self, name: &str, limit: Limit) -> Result<(), ScopeError> {
        let place = self.controllers.iter().find(|(known, _)| *known == limit).map(|(_, place)| place);
        let dir = place.unwrap_or(&self.place).here.join(&self.workspace).join(name);
        for (file, text) in unlimited(limit, place.is_some()) {
            let path = dir.join(file);
            if path.exists() {
                files::write(&path, text).map_err(failed(&format!("write {text} to"), &path))?;
            }
        }
        Ok(())
    }

    /// The directory of a group where this is limited and counted.
    pub(super) fn directory(&self, name: &str, limit: Limit) -> Result<Limited, ScopeError> {
        if let Some((_, place)) = self.controllers.iter().find(|(known, _)| *known == limit) {
            return Self::joinable(limit, place.here.join(&self.workspace).join(name));
        }
        let dir = self.root().join(name);
        files::make(&dir).map_err(failed("make the group", &dir))?;
        self.delegate(&dir, limit)?;
        Ok(Limited { limit, dir, procs: None })
    }

    /// A directory of version 1, which its members have to join.
    pub(super) fn joinable(limit: Limit, dir: PathBuf) -> Result<Limited, ScopeError> {
        files::make(&dir).map_err(failed("make the group", &dir))?;
        let path = dir.join("cgroup.procs");
        let procs = files::open_for_writing(&path).map_err(failed("open", &path))?;
        Ok(Limited { limit, dir, procs: Some(Arc::new(procs)) })
    }

    /// Version 2 hands a controller down one level at a time, and not past a group that has processes of its own.
    fn delegate(&self, dir: &Path, limit: Limit) -> Result<(), ScopeError> {
        if is_crowded(&self.place) {
            // The kernel would hand some down (cpu, pids), and then let no process into any group of ours.
            let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
            return Err(failed("hand a controller down from", &self.place.here)(source));
        }
        let above: Vec<&Path> = dir.ancestors().skip(1).take_while(|path| path.starts_with(&self.place.here)).collect();
        for path in above.into_iter().rev() {
            let file = path.join("cgroup.subtree_control");
            let text = format!("+{}", limit.controller());
            files::write(&file, &text).map_err(failed(&format!("write {text} to"), &file))?;
        }
        Ok(())
    }
}

//! A scope that is in use. It is given back when nobody uses it any more, so that nobody ends a scope that belongs to the next.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::adapters::process::containment::Containment;
use crate::adapters::process::scope::{Scope, ScopeError};
use crate::base::owner::Owner;

/// How long whoever watched a process may take to end what it left: its grace, and time to kill.
const PATIENCE: Duration = Duration::from_secs(15);

/// A scope in use.
#[derive(Debug)]
pub(super) struct Lease {
    scope: Scope,
    containment: Arc<Containment>,
    /// Where it is the scope of a resource: whose, and where that is counted.
    counted: Option<(Owner, Arc<Counts>)>,
}

impl Lease {
    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Where something still runs in it, it is not used again; the next look finds it by its name.
        drop(self.containment.release(&self.scope));
        // Only now: whoever waits for it makes it anew.
        if let Some((owner, counts)) = &self.counted {
            counts.give_back(owner);
        }
    }
}

/// How many leases there are of the scope of each resource: the one that is watched, and one that is about to be.
#[derive(Debug, Default)]
struct Counts {
    held: Mutex<HashMap<Owner, usize>>,
    given_back: Notify,
}

impl Counts {
    fn take(&self, owner: &Owner) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner).entry(owner.clone()).or_default() += 1;
    }

    fn give_back(&self, owner: &Owner) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                held.remove(owner);
            }
        }
        drop(held);
        self.given_back.notify_waiters();
    }

    async fn until_free(&self, owner: &Owner) {
        loop {
            let given_back = self.given_back.notified();
            tokio::pin!(given_back);
            // From here on no giving back is missed.
            given_back.as_mut().enable();
            if !self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(owner) {
                return;
            }
            given_back.await;
        }
    }
}

/// The scopes that this engine uses, by the place they belong to.
#[derive(Debug)]
pub(super) struct Leases {
    containment: Arc<Containment>,
    active: Mutex<HashMap<Owner, Vec<Arc<Lease>>>>,
    /// The pooled scopes that this engine has used. Each is swept by whoever used it, and may belong to somebody else by now.
    pooled: Mutex<HashSet<String>>,
    counts: Arc<Counts>,
}

impl Leases {
    pub(super) fn new(containment: Arc<Containment>) -> Self {
        Self { containment, active: Mutex::default(), pooled: Mutex::default(), counts: Arc::default() }
    }

    /// Takes an empty scope for a command of this place.
    pub(super) fn attempt(&self, owner: &Owner) -> Result<Arc<Lease>, ScopeError> {
        let scope = self.containment.attempt(&owner.goal)?;
        let mut pooled = self.pooled.lock().unwrap_or_else(PoisonError::into_inner);
        if !pooled.contains(scope.name()) {
            pooled.insert(scope.name().to_owned());
        }
        drop(pooled);
        Ok(self.hold(owner, self.lease(scope, None)))
    }

    /// Takes the scope of a resource.
    pub(super) fn resource(&self, owner: &Owner) -> Result<Arc<Lease>, ScopeError> {
        let unnamed = crate::base::name::Name::from("-");
        let (phase, resource) = (owner.phase.as_ref().unwrap_or(&unnamed), owner.resource.as_ref().unwrap_or(&unnamed));
        let scope = self.containment.resource(&owner.goal, phase, resource)?;
        Ok(self.hold_resource(owner, scope))
    }

    /// Finds a scope that another engine process made. One of this engine's pool is never given: it may be in use again, elsewhere.
    pub(super) fn find(&self, name: &str) -> Result<Option<Arc<Lease>>, ScopeError> {
        if self.pooled.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(None);
        }
        let scope = self.containment.find(name)?;
        Ok(scope.map(|scope| Arc::new(self.lease(scope, None))))
    }

    /// Finds a scope of which nobody of this engine makes use: one of its pool in which somebody is left is given to nobody either.
    pub(super) fn find_unused(&self, name: &str) -> Result<Option<Arc<Lease>>, ScopeError> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.values().flatten().any(|lease| lease.scope().name() == name) {
            return Ok(None);
        }
        drop(active);
        let scope = self.containment.find(name)?;
        Ok(scope.map(|scope| Arc::new(self.lease(scope, None))))
    }

    /// Takes over a scope that another engine process made, for as long as what runs in it belongs to this place; none where nothing is left of it.
    pub(super) fn adopt(&self, owner: &Owner, name: &str) -> Result<Option<Arc<Lease>>, ScopeError> {
        if self.pooled.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(None);
        }
        Ok(self.containment.find(name)?.map(|scope| self.hold_resource(owner, scope)))
    }

    /// The scopes in use at a place.
    pub(super) fn of(&self, owner: &Owner) -> Vec<Arc<Lease>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).get(owner).cloned().unwrap_or_default()
    }

    /// Waits until the scope of a resource is given back: whoever watched what was there before ends its leftovers, and removes the scope.
    /// Where something would not end, its watcher keeps the scope; then it is not waited for longer than that may take.
    pub(super) async fn until_free(&self, owner: &Owner) {
        drop(tokio::time::timeout(PATIENCE, self.counts.until_free(owner)).await);
    }

    /// Says that a scope is no longer in use at a place.
    pub(super) fn drop_from(&self, owner: &Owner, lease: &Arc<Lease>) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leases) = active.get_mut(owner) {
            leases.retain(|other| !Arc::ptr_eq(other, lease));
            if leases.is_empty() {
                active.remove(owner);
            }
        }
    }

    fn hold_resource(&self, owner: &Owner, scope: Scope) -> Arc<Lease> {
        self.counts.take(owner);
        self.hold(owner, self.lease(scope, Some((owner.clone(), Arc::clone(&self.counts)))))
    }

    fn hold(&self, owner: &Owner, lease: Lease) -> Arc<Lease> {
        let lease = Arc::new(lease);
        self.active.lock().unwrap_or_else(PoisonError::into_inner).entry(owner.clone()).or_default().push(Arc::clone(&lease));
        lease
    }

    fn lease(&self, scope: Scope, counted: Option<(Owner, Arc<Counts>)>) -> Lease {
        Lease { scope, containment: Arc::clone(&self.containment), counted }
    }

    pub(super) const fn containment(&self) -> &Arc<Containment> {
        &self.containment
    }
}

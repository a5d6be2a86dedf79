//! Sealed plans, built by hand: what the compiler would make of a manifest, without a manifest.

use indexmap::IndexMap;
use opensculpt::base::name::Name;
use opensculpt::base::size::ByteSize;
use opensculpt::base::time::Span;
use opensculpt::manifest::check::{Check, CheckKind, Exec, FileCheck};
use opensculpt::manifest::needs::Unlock;
use opensculpt::manifest::phase::Phase;
use opensculpt::manifest::policy::{Backoff, Budget, Limits, Retry};
use opensculpt::manifest::process::{Process, Restart, RestartLimits};
use opensculpt::manifest::resource::{Container, Custom, Directory, FileResource, HealthCheck, Port, PortClaim, Resource, Scope};
use opensculpt::manifest::verify::{RedBeforeGreen, Tier, Verify};
use opensculpt::manifest::work::Run;
use opensculpt::plan::sealed::{Edge, Part, PhaseIx, Plan, PlannedPhase, Step};

/// A phase to be.
#[derive(Clone)]
pub(crate) struct Draft {
    name: String,
    part: Part,
    needs: Vec<(String, Unlock)>,
    steps: Vec<Step>,
    spec: Phase,
}

/// A phase that does nothing yet.
pub(crate) fn phase(name: impl Into<String>) -> Draft {
    Draft { name: name.into(), part: Part::Phase, needs: Vec::new(), steps: Vec::new(), spec: Phase::default() }
}

/// A phase that runs a command and is verified by one check.
pub(crate) fn job(name: impl Into<String>) -> Draft {
    phase(name).work().checks(1)
}

/// A phase with a goal-scoped service, waited for, and one check.
pub(crate) fn server(name: impl Into<String>) -> Draft {
    phase(name).serve("svc", Scope::Goal).checks(1)
}

/// A limit of so many MiB.
pub(crate) fn memory(mib: u64) -> Limits {
    Limits { memory: Some(ByteSize(mib << 20)), ..Limits::default() }
}

fn script() -> Run {
    Run::Script("true".to_owned())
}

impl Draft {
    pub(crate) fn needs(self, names: &[&str]) -> Self {
        names.iter().fold(self, |draft, name| draft.needs_when(*name, Unlock::Verified))
    }

    pub(crate) fn needs_when(mut self, name: impl Into<String>, unlock: Unlock) -> Self {
        self.needs.push((name.into(), unlock));
        self
    }

    pub(crate) fn part(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// A word of `capabilities: { docker: [...] }`.
    pub(crate) fn docker(mut self, word: &str) -> Self {
        self.spec.capabilities.get_or_insert_default().docker.push(word.to_owned());
        self
    }

    pub(crate) fn work(mut self) -> Self {
        self.steps.push(Step::Work);
        self.spec.run = Some(script());
        self
    }

    fn resource(mut self, name: &str, resource: Resource) -> Self {
        self.spec.resources.insert(Name::from(name), resource);
        self
    }

    fn make(mut self, name: &str, resource: Resource) -> Self {
        self.steps.push(Step::Make(Name::from(name)));
        self.resource(name, resource)
    }

    pub(crate) fn directory(self, name: &str, scope: Scope) -> Self {
        self.make(name, Resource { directory: Some(Directory::Path(name.to_owned())), scope, ..Resource::default() })
    }

    /// A file that lives with the goal.
    pub(crate) fn file(self, name: &str) -> Self {
        let file = FileResource { path: name.to_owned(), content: Some(String::new()), template: None, owner: None, mode: None };
        self.make(name, Resource { file: Some(file), scope: Scope::Goal, ..Resource::default() })
    }

    pub(crate) fn port(self, name: &str) -> Self {
        self.make(name, Resource { port: Some(PortClaim::Plain(Port::Number(8080))), ..Resource::default() })
    }

    pub(crate) fn custom(self, name: &str, scope: Scope) -> Self {
        let custom = Custom { create: script(), exists: script(), destroy: script(), env: IndexMap::new(), env_file: None, timeout: None };
        self.make(name, Resource { custom: Some(custom), scope, ..Resource::default() })
    }

    /// A process resource that is started and waited for.
    pub(crate) fn serve(self, name: &str, scope: Scope) -> Self {
        let mut draft = self.start(name, scope);
        draft.steps.push(Step::Ready(Name::from(name)));
        draft
    }

    /// A process resource that is started and not waited for.
    pub(crate) fn start(mut self, name: &str, scope: Scope) -> Self {
        self.steps.push(Step::Serve(Name::from(name)));
        self.resource(name, Resource { process: Some(Process::Run(script())), scope, ..Resource::default() })
    }

    /// A container of that name in the place of the process.
    pub(crate) fn contained(mut self, name: &str) -> Self {
        let declared = self.spec.resources.get_mut(name).expect("a service");
        declared.process = None;
        declared.container = Some(Container { image: Some("it".to_owned()), ..Container::default() });
        self
    }

    /// When a service is started again, and how often.
    pub(crate) fn restart(mut self, name: &str, policy: Restart, limits: RestartLimits) -> Self {
        let resource = self.spec.resources.get_mut(name).unwrap();
        (resource.restart, resource.restart_limits) = (Some(policy), Some(limits));
        self
    }

    /// A service that is asked every second whether it is well, by a command or by a look, and is not after three failures in a row.
    pub(crate) fn healthy(mut self, name: &str, executes: bool) -> Self {
        let exec = Exec::Run(script());
        let kind = if executes {
            CheckKind { exec: Some(exec), ..CheckKind::default() }
        } else {
            CheckKind { file: Some(FileCheck::Path("up".to_owned())), ..CheckKind::default() }
        };
        if let Some(resource) = self.spec.resources.get_mut(name) {
            resource.healthcheck = Some(HealthCheck { kind, interval: Some(Span(1000)), ..HealthCheck::default() });
        }
        self
    }

    /// Waits until a process resource has ended well.
    pub(crate) fn complete(mut self, name: &str) -> Self {
        self.steps.push(Step::Complete(Name::from(name)));
        self
    }

    /// Keeps a resource, or not, whatever its kind.
    pub(crate) fn keep(mut self, name: &str, keep: bool) -> Self {
        self.spec.resources.get_mut(name).unwrap().keep = Some(keep);
        self
    }

    /// Lets a resource be evicted.
    pub(crate) fn evictable(mut self, name: &str) -> Self {
        self.spec.resources.get_mut(name).unwrap().evictable = Some(true);
        self
    }

    fn verify(&mut self) -> &mut Verify {
        self.spec.verify.get_or_insert_default()
    }

    pub(crate) fn checks(mut self, count: usize) -> Self {
        let kind = CheckKind { exec: Some(Exec::Run(script())), ..CheckKind::default() };
        self.verify().checks = vec![Check { kind, ..Check::default() }; count];
        self
    }

    /// How often each check is asked again, and the pause between.
    pub(crate) fn patient(mut self, retries: u32, interval: u64) -> Self {
        for check in &mut self.verify().checks {
            check.retries = Some(retries);
            check.interval = Some(Span(interval));
        }
        self
    }

    pub(crate) fn tier(mut self, tier: Tier) -> Self {
        self.verify().tier = tier;
        self
    }

    pub(crate) fn red(mut self, rule: RedBeforeGreen) -> Self {
        self.verify().red_before_green = Some(rule);
        self
    }

    pub(crate) fn retry(mut self, attempts: u32, initial: u64, factor: f64, max: u64) -> Self {
        self.spec.retry = Some(Retry { attempts, backoff: Backoff { initial: Span(initial), factor, max: Span(max) } });
        self
    }

    /// The memory that its work may use, in MiB.
    pub(crate) fn memory(mut self, mib: u64) -> Self {
        self.spec.limits = Some(memory(mib));
        self
    }

    /// The memory that a service of it may use, in MiB.
    pub(crate) fn service_memory(mut self, name: &str, mib: u64) -> Self {
        self.spec.resources.get_mut(name).unwrap().limits = Some(memory(mib));
        self
    }

    pub(crate) fn timeout(mut self, ms: u64) -> Self {
        self.spec.timeout = Some(Span(ms));
        self
    }

    pub(crate) fn max_time(mut self, ms: u64) -> Self {
        self.spec.budget = Some(Budget { max_time: Some(Span(ms)), ..Budget::default() });
        self
    }
}

/// Seals phases into a plan. Those in `finally`, and the goal's own checks, need all the others to have ended.
pub(crate) fn plan(concurrency: u32, drafts: Vec<Draft>) -> Plan {
    let names: std::collections::HashMap<String, u32> = drafts.iter().map(|draft| draft.name.clone()).zip(0..).collect();
    let ordinary: Vec<PhaseIx> = drafts.iter().zip(0..).filter(|(draft, _)| draft.part == Part::Phase).map(|(_, ix)| PhaseIx(ix)).collect();
    let mut phases: Vec<PlannedPhase> = Vec::new();
    for draft in drafts {
        let mut needs: Vec<Edge> = draft.needs.iter().map(|(name, unlock)| Edge { phase: PhaseIx(names[name]), unlock: *unlock }).collect();
        if draft.part != Part::Phase {
            needs.extend(ordinary.iter().map(|phase| Edge { phase: *phase, unlock: Unlock::Finished }));
        }
        let wave = needs.iter().map(|edge| phases[edge.phase.at()].wave + 1).max().unwrap_or(0);
        let name = Name::from(draft.name.as_str());
        phases.push(PlannedPhase {
            origin: name.clone(),
            name,
            part: draft.part,
            bindings: std::collections::BTreeMap::new(),
            needs,
            reads: Vec::new(),
            wave,
            steps: draft.steps,
            spec: draft.spec,
        });
    }
    Plan {
        profiles: Vec::new(),
        templates: None,
        goal: Name::from("g"),
        manifest: "goals/g.yaml".to_owned(),
        digest: String::new(),
        params: IndexMap::new(),
        secrets: IndexMap::new(),
        env: IndexMap::new(),
        env_file: Vec::new(),
        working_dir: None,
        concurrency,
        concurrency_group: None,
        budget: Budget::default(),
        limits: Limits::default(),
        reverify: None,
        requires: Vec::new(),
        phases,
    }
}

//! What is asked of the container engine for a specification.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, Mount as ApiMount, MountType, NetworkingConfig, PortBinding, PortMap,
    ResourcesUlimits,
};

use crate::base::label;
use crate::base::time::Span;

use super::spec::{ContainerSpec, Healthcheck, Join, Limits, Mount, MountSource};

/// The body of the request that creates it.
///
/// Only the first network is in it: before API 1.44 a container is created in one network, and connected to the others.
pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let mut labels = spec.label.write();
    labels.insert(label::SPEC.to_owned(), spec.fingerprint().to_string());
    labels.insert(label::NONCE.to_owned(), nonce());
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: spec.user.clone(),
        working_dir: spec.working_dir.clone(),
        healthcheck: spec.healthcheck.as_ref().map(health),
        stop_signal: Some(spec.stop.signal.clone()),
        stop_timeout: Some(spec.stop.grace.0.div_ceil(1000).try_into().unwrap_or(i64::MAX)),
        exposed_ports: Some(spec.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol.word())).collect()),
        labels: Some(labels),
        networking_config: spec
            .networks
            .first()
            .map(|join| NetworkingConfig { endpoints_config: Some(HashMap::from([(join.network.clone(), endpoint(join))])) }),
        host_config: Some(host(spec)),
        ..ContainerCreateBody::default()
    }
}

/// A value for [`label::NONCE`].
pub fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// How a container is in a network.
pub(super) fn endpoint(join: &Join) -> EndpointSettings {
    EndpointSettings { aliases: Some(join.aliases.clone()), ..EndpointSettings::default() }
}

fn host(spec: &ContainerSpec) -> HostConfig {
    let Limits { memory, nano_cpus, pids, open_files } = spec.limits;
    let number = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    HostConfig {
        memory: number(memory),
        // As much with swap as without: otherwise a limit would mean twice itself.
        memory_swap: number(memory),
        nano_cpus: number(nano_cpus),
        pids_limit: number(pids),
        cgroup_parent: spec.cgroup_parent.clone(),
        ulimits: number(open_files)
            .map(|most| vec![ResourcesUlimits { name: Some("nofile".to_owned()), soft: Some(most), hard: Some(most) }]),
        init: Some(spec.init),
        mounts: Some(spec.mounts.iter().map(mount).collect()),
        port_bindings: Some(ports(spec)),
        network_mode: spec.networks.first().map(|join| join.network.clone()),
        ..HostConfig::default()
    }
}

fn mount(mount: &Mount) -> ApiMount {
    let (typ, source) = match &mount.source {
        MountSource::Volume(name) => (MountType::VOLUME, name.clone()),
        MountSource::Bind(path) => (MountType::BIND, path.display().to_string()),
    };
    ApiMount {
        typ: Some(typ),
        source: Some(source),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..ApiMount::default()
    }
}

fn ports(spec: &ContainerSpec) -> PortMap {
    let mut map = PortMap::new();
    for port in &spec.ports {
        let binding = PortBinding {
            host_ip: Some(port.host_ip.map(|ip| ip.to_string()).unwrap_or_default()),
            host_port: Some(if port.host_port == 0 { String::new() } else { port.host_port.to_string() }),
        };
        let inside = format!("{}/{}", port.container_port, port.protocol.word());
        map.entry(inside).or_default().get_or_insert_default().push(binding);
    }
    map
}

fn health(check: &Healthcheck) -> HealthConfig {
    let nanoseconds = |span: Span| Some(i64::try_from(span.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX));
    HealthConfig {
        test: Some(check.test.clone()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        retries: Some(check.retries.into()),
        start_period: nanoseconds(check.start_period),
        start_interval: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{PortMapping, Protocol, example};
    use super::*;

    #[test]
    fn a_limit_means_itself_and_nothing_is_privileged_or_restarted() {
        let mut spec = example();
        spec.limits = Limits { memory: Some(1 << 24), nano_cpus: Some(5), pids: Some(7), open_files: Some(9) };
        let host = body(&spec).host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(1 << 24), Some(1 << 24)));
        assert_eq!((host.nano_cpus, host.pids_limit), (Some(5), Some(7)));
        assert_eq!(host.ulimits.unwrap()[0].hard, Some(9));
        assert_eq!((host.privileged, host.restart_policy, host.cgroup_parent), (None, None, None));
        spec.cgroup_parent = Some("/sculpt-w/crm/containers".to_owned());
        assert_eq!(body(&spec).host_config.unwrap().cgroup_parent, spec.cgroup_parent);
    }

    #[test]
    fn each_container_has_a_nonce_which_is_no_part_of_what_it_is_to_be() {
        let spec = example();
        let [one, other] = [body(&spec), body(&spec)].map(|body| body.labels.unwrap());
        assert_eq!(one[label::SPEC], other[label::SPEC]);
        assert_ne!(one[label::NONCE], other[label::NONCE]);
    }

    #[test]
    fn a_port_of_the_engines_choice_is_an_empty_text() {
        let mut spec = example();
        let tcp = PortMapping { host_ip: None, host_port: 0, container_port: 80, protocol: Protocol::Tcp };
        spec.ports = vec![tcp, PortMapping { host_port: 81, host_ip: Some([127, 0, 0, 1].into()), ..tcp }];
        let map = body(&spec).host_config.unwrap().port_bindings.unwrap();
        let bindings = map["80/tcp"].as_ref().unwrap();
        assert_eq!(bindings[0].host_port.as_deref(), Some(""));
        assert_eq!((bindings[1].host_ip.as_deref(), bindings[1].host_port.as_deref()), (Some("127.0.0.1"), Some("81")));
    }
}

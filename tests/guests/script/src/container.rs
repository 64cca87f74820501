//! Calls of a container's specification.

use rengine_plugin::ContainerSpec;
use rengine_plugin::bindings::rengine::plugin::container::{
    Device, Mount, MountKind, PortMapping, RestartPolicy,
};
use rengine_plugin::bindings::rengine::plugin::types::{HealthCheck, HttpProbe, Probe, Protocol};

use crate::reader::Reader;

pub fn call(spec: &ContainerSpec, reader: &mut Reader<'_>) {
    match reader.byte() % 37 {
        0 => drop(spec.set_user(reader.maybe(Reader::text).as_deref())),
        1 => drop(spec.set_command(reader.maybe(Reader::texts).as_deref())),
        2 => drop(spec.set_entrypoint(reader.maybe(Reader::texts).as_deref())),
        3 => drop(spec.set_working_dir(reader.maybe(Reader::text).as_deref())),
        4 => drop(spec.set_env(&reader.text(), &reader.text())),
        5 => drop(spec.remove_env(&reader.text())),
        6 => drop(spec.set_label(&reader.text(), &reader.text())),
        7 => drop(spec.remove_label(&reader.text())),
        8 => drop(spec.set_memory(reader.maybe(Reader::number))),
        9 => drop(spec.set_cpus(reader.maybe(Reader::float))),
        10 => drop(spec.set_pids_limit(reader.maybe(Reader::small))),
        11 => drop(spec.set_read_only_root(reader.flag())),
        12 => drop(spec.set_tmpfs(&reader.text(), &reader.text())),
        13 => drop(spec.remove_tmpfs(&reader.text())),
        14 => drop(spec.set_no_new_privileges(reader.flag())),
        15 => drop(spec.add_security_option(&reader.text())),
        16 => drop(spec.set_cap_drop(&reader.texts())),
        17 => drop(spec.set_cap_add(&reader.texts())),
        18 => drop(spec.set_privileged(reader.flag())),
        19 => drop(spec.add_device(&Device {
            host_path: reader.text(),
            container_path: reader.text(),
            permissions: reader.text(),
        })),
        20 => drop(spec.remove_device(&reader.text())),
        21 | 22 => drop(spec.add_mount(&Mount {
            kind: match reader.flag() {
                true => MountKind::Bind,
                false => MountKind::Volume,
            },
            source: reader.maybe(Reader::text),
            target: reader.text(),
            read_only: reader.flag(),
        })),
        23 => drop(spec.remove_mount(&reader.text())),
        24 => drop(spec.set_network_mode(reader.maybe(Reader::text).as_deref())),
        25 => drop(spec.set_pid_mode(reader.maybe(Reader::text).as_deref())),
        26 => drop(spec.set_ipc_mode(reader.maybe(Reader::text).as_deref())),
        27 => drop(spec.publish_port(&PortMapping {
            container_port: reader.port(),
            protocol: protocol(reader),
            host_port: reader.maybe(Reader::port),
            host_address: reader.maybe(Reader::text),
        })),
        28 => drop(spec.unpublish_port(reader.port(), protocol(reader))),
        29 => drop(spec.set_restart(match reader.byte() % 4 {
            0 => RestartPolicy::No,
            1 => RestartPolicy::Always,
            2 => RestartPolicy::UnlessStopped,
            _ => RestartPolicy::OnFailure(reader.small()),
        })),
        30 => {
            let check = reader.maybe(health_check);
            drop(spec.set_health_check(check.as_ref()));
        }
        31 => drop(spec.set_stop_signal(reader.maybe(Reader::text).as_deref())),
        32 => drop(spec.set_stop_timeout_ms(reader.maybe(Reader::small))),
        33 => drop(spec.set_init(reader.flag())),
        34 => drop(spec.set_hostname(reader.maybe(Reader::text).as_deref())),
        35 => {
            // Beyond the limit of calls.
            for index in 0..reader.times() {
                drop(spec.set_tmpfs(&format!("/t{index}"), ""));
            }
        }
        _ => read(spec),
    }
}

fn read(spec: &ContainerSpec) {
    drop((spec.dockerfile(), spec.image(), spec.user(), spec.command()));
    drop((spec.entrypoint(), spec.working_dir(), spec.env()));
    drop((spec.labels(), spec.memory(), spec.cpus(), spec.pids_limit()));
    drop((spec.tmpfs(), spec.security_options(), spec.cap_drop()));
    drop((spec.cap_add(), spec.devices(), spec.mounts()));
    drop((spec.network_mode(), spec.pid_mode(), spec.ipc_mode()));
    drop((spec.ports(), spec.restart(), spec.health_check()));
    drop((spec.stop_signal(), spec.stop_timeout_ms(), spec.hostname()));
}

fn protocol(reader: &mut Reader<'_>) -> Protocol {
    match reader.flag() {
        true => Protocol::Tcp,
        false => Protocol::Udp,
    }
}

fn health_check(reader: &mut Reader<'_>) -> HealthCheck {
    HealthCheck {
        probe: match reader.byte() % 3 {
            0 => Probe::Tcp(reader.port()),
            1 => Probe::Command(reader.texts()),
            _ => Probe::Http(HttpProbe {
                path: reader.text(),
                port: reader.maybe(Reader::port),
                status: reader.maybe(Reader::port),
            }),
        },
        interval_ms: reader.small(),
        timeout_ms: reader.small(),
        retries: reader.small(),
        start_period_ms: reader.small(),
    }
}

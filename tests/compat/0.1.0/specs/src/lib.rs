//! Calls everything of `rengine:plugin@0.1.0` that changes a specification, and logs what it reads:
//! `configure`, `pre-build` and `pre-run`.

wit_bindgen::generate!({
    inline: "
        package compat:specs;

        world specs {
            include rengine:plugin/imports@0.1.0;
            export rengine:plugin/configure@0.1.0;
            export rengine:plugin/pre-build@0.1.0;
            export rengine:plugin/pre-run@0.1.0;
        }
    ",
    path: "../wit",
    generate_all,
});

use exports::rengine::plugin::{configure, pre_build, pre_run};
use rengine::plugin::app::AppModel;
use rengine::plugin::build::ImageBuild;
use rengine::plugin::container::{
    ContainerSpec, Device, Mount, MountKind, PortMapping, RestartPolicy,
};
use rengine::plugin::types::{
    AppContext, ChangeError, Context, HealthCheck, HttpProbe, Probe, Protocol, Refusal,
};
use wasi::config::store;
use wasi::logging::logging::{Level, log};

struct Specs;

impl configure::Guest for Specs {
    fn run(ctx: AppContext, app: &AppModel) -> Result<(), Refusal> {
        told("context", ctx);
        told("config", store::get_all());
        told("config.mode", store::get("mode"));
        told("config.none", store::get("none"));
        told("name", app.name());
        told("services", app.services());
        told("service none", app.service("none").is_some());
        for name in app.services() {
            let Some(service) = app.service(&name) else {
                continue;
            };
            told("service.name", service.name());
            told("service.image", service.image());
            if let Some(build) = service.build() {
                done("build.set-arg", build.set_arg("CONFIGURED", "yes"));
            }
            let container = service.container();
            done("container.set-env", container.set_env("CONFIGURED", "yes"));
        }
        match app.add_service("cache", "redis:7") {
            Ok(added) => {
                told("added", added.image());
                done("set-image", added.set_image("redis:8"));
                done(
                    "container.set-user",
                    added.container().set_user(Some("999")),
                );
                told("added", added.image());
            }
            Err(why) => done("add-service", Err(why)),
        }
        let again = app.add_service("cache", "redis:7");
        done("add-service again", again.map(drop));
        match app.add_network("back") {
            Ok(network) => {
                told(
                    "network",
                    (network.name(), network.external(), network.internal()),
                );
                done("network.set-internal", network.set_internal(true));
                done("network.set-label", network.set_label("com.example.a", "b"));
                done("network.set-label", network.set_label("com.example.c", "d"));
                done(
                    "network.remove-label",
                    network.remove_label("com.example.a"),
                );
                told("network.labels", network.labels());
            }
            Err(why) => done("add-network", Err(why)),
        }
        told("no network", app.network("none").is_none());
        if let Some(service) = app.service("cache") {
            done(
                "join-network",
                service.join_network("back", &["c".to_owned()]),
            );
            told("service.networks", service.networks());
            done("remove-network", app.remove_network("back"));
            done("leave-network", service.leave_network("back"));
        }
        done("add-network", app.add_network("gone").map(drop));
        done("remove-network", app.remove_network("gone"));
        told("networks", app.networks());
        match app.add_volume("data") {
            Ok(volume) => {
                told("volume", (volume.name(), volume.external()));
                done("volume.set-label", volume.set_label("com.example.a", "b"));
                done("volume.set-label", volume.set_label("com.example.c", "d"));
                done("volume.remove-label", volume.remove_label("com.example.a"));
                told("volume.labels", volume.labels());
            }
            Err(why) => done("add-volume", Err(why)),
        }
        told("no volume", app.volume("none").is_none());
        done("add-volume", app.add_volume("gone").map(drop));
        done("remove-volume", app.remove_volume("gone"));
        told("volumes", app.volumes());
        done("remove-service", app.remove_service("none"));
        Ok(())
    }
}

impl pre_build::Guest for Specs {
    fn run(ctx: Context, build: &ImageBuild) -> Result<(), Refusal> {
        told("context", ctx);
        read_build(build);
        done("set-dockerfile", build.set_dockerfile("FROM scratch\n"));
        done("set-arg", build.set_arg("ADDED", "value"));
        done("set-arg", build.set_arg("A=B", "value"));
        done("remove-arg", build.remove_arg("OLD"));
        done("set-label", build.set_label("com.example.added", "value"));
        done("set-label", build.set_label("dev.rengine.app", "value"));
        done("remove-label", build.remove_label("com.example.old"));
        done("set-target", build.set_target(Some("final")));
        done("set-platform", build.set_platform(Some("linux/arm64")));
        done(
            "set-cache-from",
            build.set_cache_from(&["shop-web:latest".to_owned()]),
        );
        done("set-no-cache", build.set_no_cache(true));
        done(
            "add-file",
            build.add_file("bin/start", b"#!/bin/sh\n", true),
        );
        done("add-file", build.add_file("../start", b"", false));
        read_build(build);
        Ok(())
    }
}

fn read_build(build: &ImageBuild) {
    told("dockerfile", build.dockerfile());
    told("dockerfile-path", build.dockerfile_path());
    told("args", build.args());
    told("arg OLD", build.arg("OLD"));
    told("labels", build.labels());
    told("target", build.target());
    told("platform", build.platform());
    told("cache-from", build.cache_from());
    told("no-cache", build.no_cache());
    told("files", build.files().unwrap_or_default());
    told("has-file main.c", build.has_file("main.c"));
    told("has-file bin/start", build.has_file("bin/start"));
    for path in ["main.c", "bin/start"] {
        match build.read_file(path) {
            Ok(bytes) => told("read-file", String::from_utf8_lossy(&bytes)),
            Err(why) => done("read-file", Err(why)),
        }
    }
}

impl pre_run::Guest for Specs {
    fn run(ctx: Context, spec: &ContainerSpec) -> Result<(), Refusal> {
        told("context", ctx);
        read_spec(spec);
        change_spec(spec);
        change_reach(spec);
        read_spec(spec);
        if matches!(store::get("mode"), Ok(Some(mode)) if mode == "refuse") {
            return Err(Refusal {
                reason: "the mode is `refuse`".to_owned(),
                hint: Some("choose another".to_owned()),
            });
        }
        Ok(())
    }
}

fn read_spec(spec: &ContainerSpec) {
    told("dockerfile", spec.dockerfile());
    told("image", spec.image());
    told("user", spec.user());
    told("command", spec.command());
    told("entrypoint", spec.entrypoint());
    told("working-dir", spec.working_dir());
    told("env", spec.env());
    told("env-var OLD", spec.env_var("OLD"));
    told("labels", spec.labels());
    told("memory", spec.memory());
    told("cpus", spec.cpus());
    told("pids-limit", spec.pids_limit());
    told("read-only-root", spec.read_only_root());
    told("tmpfs", spec.tmpfs());
    told("no-new-privileges", spec.no_new_privileges());
    told("security-options", spec.security_options());
    told("cap-drop", spec.cap_drop());
    told("cap-add", spec.cap_add());
    told("privileged", spec.privileged());
    told("devices", spec.devices());
    told("mounts", spec.mounts());
    told("network-mode", spec.network_mode());
    told("pid-mode", spec.pid_mode());
    told("ipc-mode", spec.ipc_mode());
    told("ports", spec.ports());
    told("restart", spec.restart());
    told("health-check", spec.health_check());
    told("stop-signal", spec.stop_signal());
    told("stop-timeout-ms", spec.stop_timeout_ms());
    told("init", spec.init());
    told("hostname", spec.hostname());
}

/// What stays inside of the container.
fn change_spec(spec: &ContainerSpec) {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.into()).collect() };
    done("set-user", spec.set_user(Some("1000:1000")));
    done(
        "set-command",
        spec.set_command(Some(&words(&["serve", "-v"]))),
    );
    done(
        "set-entrypoint",
        spec.set_entrypoint(Some(&words(&["/app"]))),
    );
    done("set-working-dir", spec.set_working_dir(Some("/srv")));
    done("set-working-dir", spec.set_working_dir(Some("srv")));
    done("set-env", spec.set_env("ADDED", "value"));
    done("remove-env", spec.remove_env("OLD"));
    done("set-label", spec.set_label("com.example.added", "value"));
    done("remove-label", spec.remove_label("com.example.old"));
    done("set-memory", spec.set_memory(Some(64 << 20)));
    done("set-memory", spec.set_memory(Some(1)));
    done("set-cpus", spec.set_cpus(Some(1.5)));
    done("set-pids-limit", spec.set_pids_limit(Some(100)));
    done("set-read-only-root", spec.set_read_only_root(true));
    done("set-tmpfs", spec.set_tmpfs("/tmp", "size=64m"));
    done("remove-tmpfs", spec.remove_tmpfs("/old"));
    done("set-no-new-privileges", spec.set_no_new_privileges(true));
    done("set-cap-drop", spec.set_cap_drop(&words(&["all"])));
    done("remove-mount", spec.remove_mount("/old"));
    for (kind, source, target) in [
        (MountKind::Volume, Some("data"), "/data"),
        (MountKind::Volume, None, "/scratch"),
    ] {
        done("add-mount", spec.add_mount(&mount(kind, source, target)));
    }
    for (container_port, protocol, host_port, host_address) in [
        (80, Protocol::Tcp, Some(8080), Some("127.0.0.1")),
        (53, Protocol::Udp, None, None),
        (0, Protocol::Tcp, None, None),
    ] {
        let port = PortMapping {
            container_port,
            protocol,
            host_port,
            host_address: host_address.map(str::to_owned),
        };
        done("publish-port", spec.publish_port(&port));
    }
    done("unpublish-port", spec.unpublish_port(9999, Protocol::Tcp));
    for policy in [
        RestartPolicy::No,
        RestartPolicy::Always,
        RestartPolicy::UnlessStopped,
        RestartPolicy::OnFailure(3),
    ] {
        done("set-restart", spec.set_restart(policy));
        told("restart", spec.restart());
    }
    for probe in [
        Probe::Tcp(80),
        Probe::Command(words(&["true"])),
        Probe::Http(HttpProbe {
            path: "/health".to_owned(),
            port: Some(80),
            status: Some(204),
        }),
    ] {
        let check = HealthCheck {
            probe,
            interval_ms: 1000,
            timeout_ms: 2000,
            retries: 3,
            start_period_ms: 4000,
        };
        done("set-health-check", spec.set_health_check(Some(&check)));
        told("health-check", spec.health_check());
    }
    done("set-stop-signal", spec.set_stop_signal(Some("SIGINT")));
    done("set-stop-timeout-ms", spec.set_stop_timeout_ms(Some(5000)));
    done("set-init", spec.set_init(true));
    done("set-hostname", spec.set_hostname(Some("web")));
}

/// What reaches the host, so that it needs a grant each.
fn change_reach(spec: &ContainerSpec) {
    let bind = mount(MountKind::Bind, Some("/srv/shared"), "/shared");
    let device = Device {
        host_path: "/dev/fuse".to_owned(),
        container_path: "/dev/fuse".to_owned(),
        permissions: "rw".to_owned(),
    };
    done(
        "add-security-option",
        spec.add_security_option("seccomp=unconfined"),
    );
    done("set-cap-add", spec.set_cap_add(&["NET_ADMIN".to_owned()]));
    done("set-privileged", spec.set_privileged(true));
    done("add-device", spec.add_device(&device));
    done("remove-device", spec.remove_device("/dev/old"));
    done("add-mount", spec.add_mount(&bind));
    done("set-network-mode", spec.set_network_mode(Some("host")));
    done("set-pid-mode", spec.set_pid_mode(Some("host")));
    done("set-ipc-mode", spec.set_ipc_mode(Some("host")));
}

fn mount(kind: MountKind, source: Option<&str>, target: &str) -> Mount {
    Mount {
        kind,
        source: source.map(str::to_owned),
        target: target.to_owned(),
        read_only: true,
    }
}

fn told(what: &str, value: impl std::fmt::Debug) {
    log(Level::Info, what, &format!("{value:?}"));
}

/// The words of an error are no part of the interface, so they are not logged.
fn done(what: &str, result: Result<(), ChangeError>) {
    match result {
        Ok(()) => log(Level::Info, what, "done"),
        Err(ChangeError::Denied(_)) => log(Level::Warn, what, "denied"),
        Err(ChangeError::Invalid(_)) => log(Level::Error, what, "invalid"),
    }
}

export!(Specs);

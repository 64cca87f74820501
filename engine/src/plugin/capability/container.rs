//! The resource `container-spec`: every setter checks its value, and asks for the grant where
//! the change reaches the host.

use std::sync::MutexGuard;
use std::time::Duration;

use wasmtime::component::Resource;

use super::convert::{from_wit, to_wit};
use super::{
    Changed, Shared, absolute, elements, invalid, label, line, mountable, text, texts, variable,
};
use crate::app::{ByteSize, ContainerSpec, Cpus, MountSource};
use crate::grants::Grants;
use crate::plugin::bindings::rengine::plugin::container::{
    Device, Host, HostContainerSpec, Mount, PortMapping, RestartPolicy,
};
use crate::plugin::bindings::rengine::plugin::types::{ChangeError, HealthCheck, Protocol};
use crate::plugin::call::State;
use crate::plugin::limits::MAX_CAPABILITIES;

/// Docker's own smallest memory limit.
const MIN_MEMORY: ByteSize = ByteSize::mib(6);

/// A container's specification in the hands of a plugin: a copy, which is taken over if the
/// call goes well.
pub struct SpecResource {
    spec: Shared<ContainerSpec>,
    dockerfile: Option<String>,
    image: Option<String>,
    grants: Grants,
}

impl SpecResource {
    pub fn new(
        spec: Shared<ContainerSpec>,
        dockerfile: Option<String>,
        image: Option<String>,
        grants: Grants,
    ) -> Self {
        Self {
            spec,
            dockerfile,
            image,
            grants,
        }
    }

    pub fn into_spec(self) -> ContainerSpec {
        self.spec.into_value()
    }
}

type Handle = Resource<SpecResource>;

impl State {
    fn spec(&self, handle: &Handle) -> wasmtime::Result<MutexGuard<'_, ContainerSpec>> {
        Ok(self.table.get(handle)?.spec.get())
    }

    fn change_spec(
        &mut self,
        handle: &Handle,
        change: impl FnOnce(&mut ContainerSpec, &Grants) -> Result<(), ChangeError>,
    ) -> Changed {
        self.limiter.change()?;
        let SpecResource { spec, grants, .. } = self.table.get(handle)?;
        Ok(change(&mut spec.get(), grants))
    }

    /// A change that adds to a collection, whose bytes count.
    fn collect_spec(
        &mut self,
        handle: &Handle,
        bytes: usize,
        change: impl FnOnce(&mut ContainerSpec, &Grants) -> Result<(), ChangeError>,
    ) -> Changed {
        let changed = self.change_spec(handle, change)?;
        if changed.is_ok() {
            self.limiter.collect(bytes)?;
        }
        Ok(changed)
    }
}

fn optional<T: ?Sized>(
    value: Option<&T>,
    check: impl FnOnce(&T) -> Result<(), ChangeError>,
) -> Result<(), ChangeError> {
    value.map_or(Ok(()), check)
}

/// A namespace mode; anything that is shared with the host or another container is a grant's.
fn namespace(kind: &str, mode: Option<&str>, grants: &Grants) -> Result<(), ChangeError> {
    let Some(mode) = mode else { return Ok(()) };
    line("the mode", mode)?;
    if mode == "host" || mode.starts_with("container:") {
        grants.allows_namespace(kind)?;
    }
    Ok(())
}

fn capabilities(names: Vec<String>) -> Result<Vec<String>, ChangeError> {
    // Few, since they are compared with each other.
    elements("the list of capabilities", names.len(), MAX_CAPABILITIES)?;
    texts("the list of capabilities", &names)?;
    names
        .into_iter()
        .map(|name| {
            let upper = name.to_ascii_uppercase();
            let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
            let plain = |c: char| c.is_ascii_uppercase() || c == '_';
            if short.is_empty() || !short.chars().all(plain) {
                return invalid(format!("`{}` is no capability", name.escape_debug()));
            }
            Ok(short.to_owned())
        })
        .collect()
}

impl Host for State {}

impl HostContainerSpec for State {
    fn dockerfile(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.dockerfile.clone())
    }

    fn image(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.image.clone())
    }

    fn user(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.user.clone())
    }

    fn set_user(&mut self, this: Handle, user: Option<String>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(user.as_deref(), |user| line("the user", user))?;
            spec.user = user;
            Ok(())
        })
    }

    fn command(&mut self, this: Handle) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.spec(&this)?.command.clone())
    }

    fn set_command(&mut self, this: Handle, command: Option<Vec<String>>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(command.as_deref(), |words| texts("the command", words))?;
            spec.command = command;
            Ok(())
        })
    }

    fn entrypoint(&mut self, this: Handle) -> wasmtime::Result<Option<Vec<String>>> {
        Ok(self.spec(&this)?.entrypoint.clone())
    }

    fn set_entrypoint(&mut self, this: Handle, entrypoint: Option<Vec<String>>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(entrypoint.as_deref(), |words| {
                texts("the entrypoint", words)
            })?;
            spec.entrypoint = entrypoint;
            Ok(())
        })
    }

    fn working_dir(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.working_dir.clone())
    }

    fn set_working_dir(&mut self, this: Handle, path: Option<String>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(path.as_deref(), |path| {
                absolute("the working directory", path)
            })?;
            spec.working_dir = path;
            Ok(())
        })
    }

    fn env(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.spec(&this)?.env.clone().into_iter().collect())
    }

    fn env_var(&mut self, this: Handle, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.env.get(&name).cloned())
    }

    fn set_env(&mut self, this: Handle, name: String, value: String) -> Changed {
        let bytes = name.len() + value.len();
        self.collect_spec(&this, bytes, |spec, _| {
            variable(&name)?;
            text("the variable", &value)?;
            spec.env.insert(name, value);
            Ok(())
        })
    }

    fn remove_env(&mut self, this: Handle, name: String) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.env.remove(&name);
            Ok(())
        })
    }

    fn labels(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.spec(&this)?.labels.clone().into_iter().collect())
    }

    fn set_label(&mut self, this: Handle, name: String, value: String) -> Changed {
        let bytes = name.len() + value.len();
        self.collect_spec(&this, bytes, |spec, _| {
            label(&name)?;
            text("the label", &value)?;
            spec.labels.insert(name, value);
            Ok(())
        })
    }

    fn remove_label(&mut self, this: Handle, name: String) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.labels.remove(&name);
            Ok(())
        })
    }

    fn memory(&mut self, this: Handle) -> wasmtime::Result<Option<u64>> {
        Ok(self.spec(&this)?.memory.map(|size| size.0))
    }

    fn set_memory(&mut self, this: Handle, bytes: Option<u64>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(bytes.as_ref(), |&bytes| match bytes {
                _ if bytes < MIN_MEMORY.0 => {
                    invalid(format!("{bytes} bytes of memory is less than {MIN_MEMORY}"))
                }
                _ if i64::try_from(bytes).is_err() => invalid("so much memory does not exist"),
                _ => Ok(()),
            })?;
            spec.memory = bytes.map(ByteSize);
            Ok(())
        })
    }

    fn cpus(&mut self, this: Handle) -> wasmtime::Result<Option<f64>> {
        Ok(self.spec(&this)?.cpus.map(Cpus::as_f64))
    }

    fn set_cpus(&mut self, this: Handle, cpus: Option<f64>) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.cpus = match cpus.map(Cpus::new).transpose() {
                Ok(cpus) => cpus,
                Err(error) => return invalid(error.to_string()),
            };
            Ok(())
        })
    }

    fn pids_limit(&mut self, this: Handle) -> wasmtime::Result<Option<u32>> {
        Ok(self.spec(&this)?.pids_limit)
    }

    fn set_pids_limit(&mut self, this: Handle, limit: Option<u32>) -> Changed {
        self.change_spec(&this, |spec, _| {
            if limit == Some(0) {
                return invalid("a container needs one process at least");
            }
            spec.pids_limit = limit;
            Ok(())
        })
    }

    fn read_only_root(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.spec(&this)?.read_only_root)
    }

    fn set_read_only_root(&mut self, this: Handle, read_only: bool) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.read_only_root = read_only;
            Ok(())
        })
    }

    fn tmpfs(&mut self, this: Handle) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.spec(&this)?.tmpfs.clone().into_iter().collect())
    }

    fn set_tmpfs(&mut self, this: Handle, path: String, options: String) -> Changed {
        let bytes = path.len() + options.len();
        self.collect_spec(&this, bytes, |spec, _| {
            absolute("the mount's path", &path)?;
            line("the options", &options)?;
            spec.tmpfs.insert(path, options);
            Ok(())
        })
    }

    fn remove_tmpfs(&mut self, this: Handle, path: String) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.tmpfs.remove(&path);
            Ok(())
        })
    }

    fn no_new_privileges(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.spec(&this)?.no_new_privileges)
    }

    fn set_no_new_privileges(&mut self, this: Handle, on: bool) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.no_new_privileges = on;
            Ok(())
        })
    }

    fn security_options(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.spec(&this)?.security_options.clone())
    }

    fn add_security_option(&mut self, this: Handle, option: String) -> Changed {
        let bytes = option.len();
        self.collect_spec(&this, bytes, |spec, grants| {
            line("the option", &option)?;
            // Tightening it has a setter of its own; what is left chooses or drops a profile.
            grants.allows_security_option(&option)?;
            if !spec.security_options.contains(&option) {
                spec.security_options.push(option);
            }
            Ok(())
        })
    }

    fn cap_drop(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.spec(&this)?.cap_drop.clone())
    }

    fn set_cap_drop(&mut self, this: Handle, names: Vec<String>) -> Changed {
        self.change_spec(&this, |spec, grants| {
            let names = capabilities(names)?;
            // What was to be dropped and no longer is, is added in all but name.
            for gone in spec.cap_drop.iter().filter(|name| !names.contains(name)) {
                if !names.iter().any(|name| name == "ALL") {
                    grants.allows_cap(gone)?;
                }
            }
            spec.cap_drop = names;
            Ok(())
        })
    }

    fn cap_add(&mut self, this: Handle) -> wasmtime::Result<Vec<String>> {
        Ok(self.spec(&this)?.cap_add.clone())
    }

    fn set_cap_add(&mut self, this: Handle, names: Vec<String>) -> Changed {
        self.change_spec(&this, |spec, grants| {
            let names = capabilities(names)?;
            for new in names.iter().filter(|name| !spec.cap_add.contains(name)) {
                grants.allows_cap(new)?;
            }
            spec.cap_add = names;
            Ok(())
        })
    }

    fn privileged(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.spec(&this)?.privileged)
    }

    fn set_privileged(&mut self, this: Handle, on: bool) -> Changed {
        self.change_spec(&this, |spec, grants| {
            if on && !spec.privileged {
                grants.allows_privileged()?;
            }
            spec.privileged = on;
            Ok(())
        })
    }

    fn devices(&mut self, this: Handle) -> wasmtime::Result<Vec<Device>> {
        Ok(self
            .spec(&this)?
            .devices
            .iter()
            .map(to_wit::device)
            .collect())
    }

    fn add_device(&mut self, this: Handle, device: Device) -> Changed {
        let bytes = device.host_path.len() + device.container_path.len() + device.permissions.len();
        self.collect_spec(&this, bytes, |spec, grants| {
            mountable("the device's path", &device.host_path)?;
            mountable("the device's path in the container", &device.container_path)?;
            line("the device's permissions", &device.permissions)?;
            let known = |c: char| matches!(c, 'r' | 'w' | 'm');
            if device.permissions.is_empty() || !device.permissions.chars().all(known) {
                return invalid("a device's permissions are any of `r`, `w` and `m`");
            }
            grants.allows_device(&device.host_path)?;
            let device = from_wit::device(device);
            spec.devices
                .retain(|other| other.container_path != device.container_path);
            spec.devices.push(device);
            Ok(())
        })
    }

    fn remove_device(&mut self, this: Handle, container_path: String) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.devices
                .retain(|device| device.container_path != container_path);
            Ok(())
        })
    }

    fn mounts(&mut self, this: Handle) -> wasmtime::Result<Vec<Mount>> {
        Ok(self.spec(&this)?.mounts.iter().map(to_wit::mount).collect())
    }

    fn add_mount(&mut self, this: Handle, mount: Mount) -> Changed {
        self.limiter
            .collect(mount.target.len() + mount.source.as_ref().map_or(0, String::len))?;
        self.change_spec(&this, |spec, grants| {
            let mount = from_wit::mount(mount)?;
            mountable("the mount's target", &mount.target)?;
            match &mount.source {
                MountSource::Bind(path) => {
                    mountable("the mount's source", path)?;
                    grants.allows_bind(path, mount.read_only)?;
                }
                MountSource::Volume(name) => volume(name)?,
                MountSource::Anonymous => {}
            }
            spec.mounts.retain(|other| other.target != mount.target);
            spec.mounts.push(mount);
            Ok(())
        })
    }

    fn remove_mount(&mut self, this: Handle, target: String) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.mounts.retain(|mount| mount.target != target);
            Ok(())
        })
    }

    fn network_mode(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.network_mode.clone())
    }

    fn set_network_mode(&mut self, this: Handle, mode: Option<String>) -> Changed {
        self.change_spec(&this, |spec, grants| {
            namespace("network", mode.as_deref(), grants)?;
            spec.network_mode = mode;
            Ok(())
        })
    }

    fn pid_mode(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.pid_mode.clone())
    }

    fn set_pid_mode(&mut self, this: Handle, mode: Option<String>) -> Changed {
        self.change_spec(&this, |spec, grants| {
            namespace("pid", mode.as_deref(), grants)?;
            spec.pid_mode = mode;
            Ok(())
        })
    }

    fn ipc_mode(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.ipc_mode.clone())
    }

    fn set_ipc_mode(&mut self, this: Handle, mode: Option<String>) -> Changed {
        self.change_spec(&this, |spec, grants| {
            namespace("ipc", mode.as_deref(), grants)?;
            spec.ipc_mode = mode;
            Ok(())
        })
    }

    fn ports(&mut self, this: Handle) -> wasmtime::Result<Vec<PortMapping>> {
        let spec = self.spec(&this)?;
        Ok(spec.ports.iter().filter_map(to_wit::port).collect())
    }

    fn publish_port(&mut self, this: Handle, port: PortMapping) -> Changed {
        self.change_spec(&this, |spec, _| {
            let port = from_wit::port(port)?;
            spec.ports.retain(|other| {
                (other.container_port, other.protocol) != (port.container_port, port.protocol)
            });
            spec.ports.push(port);
            Ok(())
        })
    }

    fn unpublish_port(&mut self, this: Handle, port: u16, protocol: Protocol) -> Changed {
        self.change_spec(&this, |spec, _| {
            let protocol = from_wit::protocol(protocol);
            spec.ports
                .retain(|other| (other.container_port, other.protocol) != (port, protocol));
            Ok(())
        })
    }

    fn restart(&mut self, this: Handle) -> wasmtime::Result<RestartPolicy> {
        Ok(to_wit::restart(self.spec(&this)?.restart))
    }

    fn set_restart(&mut self, this: Handle, policy: RestartPolicy) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.restart = from_wit::restart(policy);
            Ok(())
        })
    }

    fn health_check(&mut self, this: Handle) -> wasmtime::Result<Option<HealthCheck>> {
        Ok(self
            .spec(&this)?
            .health
            .as_ref()
            .and_then(to_wit::health_check))
    }

    fn set_health_check(&mut self, this: Handle, check: Option<HealthCheck>) -> Changed {
        self.change_spec(&this, |spec, _| {
            let old = spec.health.as_ref();
            let check = check.map(|check| from_wit::health_check(check, old));
            spec.health = check.transpose()?;
            Ok(())
        })
    }

    fn stop_signal(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.stop_signal.clone())
    }

    fn set_stop_signal(&mut self, this: Handle, signal: Option<String>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(signal.as_deref(), |signal| line("the signal", signal))?;
            spec.stop_signal = signal;
            Ok(())
        })
    }

    fn stop_timeout_ms(&mut self, this: Handle) -> wasmtime::Result<Option<u32>> {
        let timeout = self.spec(&this)?.stop_timeout;
        Ok(timeout.map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)))
    }

    fn set_stop_timeout_ms(&mut self, this: Handle, millis: Option<u32>) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.stop_timeout = millis.map(|millis| Duration::from_millis(millis.into()));
            Ok(())
        })
    }

    fn init(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.spec(&this)?.init)
    }

    fn set_init(&mut self, this: Handle, on: bool) -> Changed {
        self.change_spec(&this, |spec, _| {
            spec.init = on;
            Ok(())
        })
    }

    fn hostname(&mut self, this: Handle) -> wasmtime::Result<Option<String>> {
        Ok(self.spec(&this)?.hostname.clone())
    }

    fn set_hostname(&mut self, this: Handle, name: Option<String>) -> Changed {
        self.change_spec(&this, |spec, _| {
            optional(name.as_deref(), |name| line("the host name", name))?;
            spec.hostname = name;
            Ok(())
        })
    }

    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// A volume's name, by Docker's rule. A path here would be a bind mount in disguise.
fn volume(name: &str) -> Result<(), ChangeError> {
    line("the volume's name", name)?;
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.len() < 2 || !first || !name.chars().all(rest) {
        return invalid(format!("`{}` is no name of a volume", name.escape_debug()));
    }
    Ok(())
}

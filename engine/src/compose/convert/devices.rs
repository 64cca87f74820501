//! Devices of a container, and limits of block devices.

use std::collections::BTreeMap;

use super::super::model::{self, Blkio, BlkioRate, Count};
use super::super::syntax::is_cdi_name;
use crate::app::{BlockIo, Device, DeviceRequest};

/// The capability of a GPU.
const GPU: &str = "gpu";

/// Those that have a path.
pub(super) fn with_paths(devices: &[model::Device]) -> Vec<Device> {
    let paths = devices.iter().filter(|device| !is_cdi(device));
    paths.map(device).collect()
}

/// What is asked of the daemon and its drivers.
pub(super) fn requests(
    container: &model::Container,
    reserved: &model::Reservations,
) -> Vec<DeviceRequest> {
    let gpus = container.gpus.iter().map(gpu);
    let reserved = reserved.devices.iter().map(request);
    let named = by_name(&container.devices);
    gpus.chain(reserved).chain(named).collect()
}

fn device(device: &model::Device) -> Device {
    Device {
        host_path: device.source.clone(),
        container_path: device.target.clone(),
        permissions: device.permissions.clone(),
    }
}

pub(super) fn block_io(from: &Blkio) -> BlockIo {
    let rates = |rates: &[BlkioRate]| -> BTreeMap<String, u64> {
        rates
            .iter()
            .map(|rate| (rate.path.clone(), rate.rate.0))
            .collect()
    };
    let weights = from.weight_device.iter();
    BlockIo {
        weight: from.weight,
        device_weight: weights
            .map(|weight| (weight.path.clone(), weight.weight))
            .collect(),
        read_bps: rates(&from.device_read_bps),
        read_iops: rates(&from.device_read_iops),
        write_bps: rates(&from.device_write_bps),
        write_iops: rates(&from.device_write_iops),
    }
}

fn request(from: &model::DeviceRequest) -> DeviceRequest {
    let all = from.device_ids.is_empty().then_some(-1);
    DeviceRequest {
        driver: from.driver.clone(),
        count: match from.count {
            Some(Count::All) => Some(-1),
            Some(Count::Number(count)) => Some(i64::from(count)),
            None => all,
        },
        ids: from.device_ids.clone(),
        capabilities: from.capabilities.clone(),
        options: from.options.clone(),
    }
}

/// What is asked for under `gpus` is a GPU, whether that is said or not.
fn gpu(from: &model::DeviceRequest) -> DeviceRequest {
    let mut request = request(from);
    if !request.capabilities.iter().any(|one| one == GPU) {
        request.capabilities.push(GPU.to_owned());
    }
    request
}

/// True for a device that has a name of the Container Device Interface in the place of a path.
fn is_cdi(device: &model::Device) -> bool {
    device.source == device.target && is_cdi_name(&device.source)
}

/// The daemon looks such names up itself.
fn by_name(devices: &[model::Device]) -> Option<DeviceRequest> {
    let named = devices.iter().filter(|device| is_cdi(device));
    let ids: Vec<_> = named.map(|device| device.source.clone()).collect();
    (!ids.is_empty()).then(|| DeviceRequest {
        driver: Some("cdi".to_owned()),
        ids,
        ..DeviceRequest::default()
    })
}

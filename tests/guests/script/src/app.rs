//! Calls of an app.

use rengine_plugin::AppModel;

use crate::reader::Reader;
use crate::{build, container};

pub fn call(app: &AppModel, reader: &mut Reader<'_>) {
    match reader.byte() % 9 {
        0 => {
            let _ = app.add_service(&reader.text(), &reader.text());
        }
        1 => {
            // Many, by their numbers.
            for index in 0..reader.times() * 8 {
                let _ = app.add_service(&format!("s{index}"), "nginx:1");
            }
        }
        6 => {
            let _ = app.remove_service(&reader.text());
            let _ = app.remove_network(&reader.text());
            let _ = app.remove_volume(&reader.text());
        }
        7 => {
            let name = reader.text();
            if let Ok(network) = app.add_network(&name) {
                let _ = network.set_label(&reader.text(), &reader.text());
                let _ = network.set_internal(reader.byte() % 2 == 0);
                if let Some(service) = app.services().first().and_then(|name| app.service(name)) {
                    let _ = service.join_network(&name, &[reader.text()]);
                    let _ = service.leave_network(&reader.text());
                }
            }
        }
        8 => {
            if let Ok(volume) = app.add_volume(&reader.text()) {
                let _ = volume.set_label(&reader.text(), &reader.text());
            }
        }
        choice => {
            let names = app.services();
            let index = usize::from(reader.byte()) % names.len().max(1);
            let Some(service) = names.get(index).and_then(|name| app.service(name)) else {
                return;
            };
            let _ = (service.name(), service.image());
            match choice {
                2 => drop(service.set_image(&reader.text())),
                3 => {
                    if let Some(of_service) = service.build() {
                        build::call(&of_service, reader);
                    }
                }
                _ => container::call(&service.container(), reader),
            }
        }
    }
}

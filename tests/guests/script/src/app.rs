//! Calls of an app.

use rengine_plugin::AppModel;

use crate::reader::Reader;
use crate::{build, container};

pub fn call(app: &AppModel, reader: &mut Reader<'_>) {
    match reader.byte() % 6 {
        0 => {
            let _ = app.add_service(&reader.text(), &reader.text());
        }
        1 => {
            // Many, by their numbers.
            for index in 0..reader.times() * 8 {
                let _ = app.add_service(&format!("s{index}"), "nginx:1");
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

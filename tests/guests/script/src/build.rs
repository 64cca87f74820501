//! Calls of a build.

use rengine_plugin::ImageBuild;

use crate::reader::Reader;

pub fn call(build: &ImageBuild, reader: &mut Reader<'_>) {
    match reader.byte() % 14 {
        0 => drop(build.set_dockerfile(&reader.text())),
        1 => drop(build.set_arg(&reader.text(), &reader.text())),
        2 => drop(build.remove_arg(&reader.text())),
        3 => drop(build.set_label(&reader.text(), &reader.text())),
        4 => drop(build.remove_label(&reader.text())),
        5 => drop(build.set_target(reader.maybe(Reader::text).as_deref())),
        6 => drop(build.set_platform(reader.maybe(Reader::text).as_deref())),
        7 => drop(build.set_cache_from(&reader.texts())),
        8 => drop(build.set_no_cache(reader.flag())),
        9 => {
            let (path, contents) = (reader.text(), reader.text());
            drop(build.add_file(&path, contents.as_bytes(), reader.flag()));
        }
        10 => drop(build.read_file(&reader.text())),
        11 => drop((build.has_file(&reader.text()), build.files())),
        12 => {
            // What would fill the host's memory.
            for index in 0..reader.times() {
                drop(build.set_label(&format!("l{index}"), "value"));
            }
        }
        _ => drop((
            build.dockerfile(),
            build.dockerfile_path(),
            build.args(),
            build.labels(),
            build.target(),
            build.platform(),
            build.cache_from(),
            build.no_cache(),
        )),
    }
}

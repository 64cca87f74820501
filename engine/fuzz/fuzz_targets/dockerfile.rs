//! Dockerfiles: any text is read, in bearable time, and what is answered makes sense.
//!
//! The text may come from a plugin, so it may be made to do harm.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::{Corpus, fuzz_target};
use rengine::dockerfile::Dockerfile;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else {
        return Corpus::Reject;
    };
    let file = Dockerfile::parse(text);
    assert_eq!(file, Dockerfile::parse(text));
    let lines = text.lines().count();
    let mut before = 0;
    for stage in &file.stages {
        assert!(before < stage.from_line && stage.from_line <= lines);
        before = stage.from_line;
    }
    let given = [("A", "given"), ("PORT", "8080/udp"), ("B", "$A")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let args = BTreeMap::from(given);
    let names = file.stages.iter().filter_map(|stage| stage.name.as_deref());
    let targets = names.map(Some).chain([None, Some("0"), Some("none")]);
    for target in targets.take(8) {
        ask(&file, target, &args);
    }
    Corpus::Keep
});

fn ask(file: &Dockerfile, target: Option<&str>, args: &BTreeMap<String, String>) {
    let stage = file.final_stage(target);
    if target.is_none() {
        assert_eq!(stage.is_some(), !file.stages.is_empty());
    }
    let ports = file.exposed_ports(target, args);
    assert!(ports.iter().all(|&(port, _)| port > 0));
    let different: BTreeSet<_> = ports
        .iter()
        .map(|&(port, protocol)| (port, protocol.as_str()))
        .collect();
    assert_eq!(different.len(), ports.len(), "each once");
    let bases = file.external_bases(target, args);
    assert!(
        bases
            .iter()
            .all(|base| !base.is_empty() && base != "scratch")
    );
    assert_eq!(bases.iter().collect::<BTreeSet<_>>().len(), bases.len());
    let user = file.user(target, args);
    assert_ne!(user.as_deref(), Some(""));
    let healthcheck = file.has_healthcheck(target, args);
    if stage.is_none() {
        assert!(ports.is_empty() && bases.is_empty() && user.is_none() && !healthcheck);
    }
}

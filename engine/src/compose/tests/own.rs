//! `x-rengine` at the top.

use super::{Folder, told};

#[test]
fn releases_are_kept_as_the_file_says() {
    let keep = |own: &str| {
        let text = format!("{own}services: {{ web: {{ image: web }} }}\n");
        let project = Folder::new(&[("compose.yaml", &text)]).load();
        let kept = project.expect("a project").keep(100);
        kept.map_err(|error| told(&error))
    };
    assert_eq!(keep(""), Ok(None));
    assert_eq!(keep("x-other: { keep: 3 }\n"), Ok(None));
    assert_eq!(keep("x-rengine: { keep: 3 }\n"), Ok(Some(3)));
    for (own, text) in [
        (
            "{ keep: 0 }",
            "compose.yaml:1:20: 0 releases can't be kept: 1 to 100 can",
        ),
        ("{ keep: 101 }", "1 to 100 can"),
        ("{ keep: many }", "can't be that at the top"),
        ("{ kep: 3 }", "unknown field `kep`"),
    ] {
        let error = keep(&format!("x-rengine: {own}\n")).expect_err(own);
        assert!(error.contains(text), "{error}");
    }
}

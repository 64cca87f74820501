use super::*;
use crate::app::ContainerSpec;
use crate::plugin::limits::MAX_IMAGE_NAME_BYTES;

fn app() -> AppResource {
    let name = |text: &str| Name::parse(text).expect("a name");
    let image = ImageSource::Image("nginx:1".to_owned());
    let service = Service::new(name("web"), image, ContainerSpec::default());
    let app = App::new(name("shop"), [service]);
    AppResource::new(app, Contexts::new(), Grants::default())
}

#[test]
fn only_what_can_be_a_service_is_added() {
    let mut app = app();
    for name in [
        "",
        "web",
        "side:1",
        "a b",
        "a/../b",
        "a\nb",
        "ü",
        &"a".repeat(64),
    ] {
        assert!(app.add(name, "nginx:1".to_owned()).is_err(), "{name:?}");
    }
    assert_eq!(app.into_app().services.len(), 1);
}

#[test]
fn an_image_has_the_letters_of_an_image() {
    let digest = format!(
        "registry.example.com:5000/team/app@sha256:{}",
        "0".repeat(64)
    );
    for good in ["nginx", "nginx:1.27-alpine", "a/b_c/d", &digest] {
        assert!(reference(good).is_ok(), "{good}");
    }
    let long = "a".repeat(MAX_IMAGE_NAME_BYTES + 1);
    for bad in [
        "",
        "-v",
        "/etc",
        "../a",
        "a b",
        "a?x=1",
        "a#b",
        "a%2f",
        "a\nb",
        "a\0",
        "a;b",
        "\u{202e}a",
        &long,
    ] {
        assert!(reference(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_app_can_not_be_made_to_grow_for_ever() {
    let mut app = app();
    let added = (0..1000).filter(|i| app.add(&format!("s{i}"), "nginx".to_owned()).is_ok());
    assert_eq!(added.count(), MAX_SERVICES - 1);
    assert_eq!(app.into_app().services.len(), MAX_SERVICES);
}

#[test]
fn what_others_need_is_not_removed() {
    let mut app = app();
    app.add("side", "nginx:1".to_owned()).expect("added");
    let side = app.handle("side").expect("it");
    for bad in ["", "-n", "a b", "a/b", "ü", &"n".repeat(129)] {
        assert!(app.add_network(bad).is_err(), "{bad:?}");
        assert!(app.add_volume(bad).is_err(), "{bad:?}");
    }
    assert!(side.join("back", Vec::new()).is_err());
    app.add_network("back").expect("added");
    assert!(app.add_network("back").is_err());
    assert!(side.join("back", vec!["a b".to_owned()]).is_err());
    side.join("back", vec!["alias".to_owned()]).expect("joined");
    assert!(app.remove_network("back").is_err());
    side.leave("back").expect("left");
    assert!(side.leave("back").is_err());
    app.remove_network("back").expect("removed");
    app.add_volume("data").expect("added");
    for source in ["data", "shop_data"] {
        side.parts.container.get().mounts = vec![crate::app::Mount {
            source: MountSource::Volume(source.to_owned()),
            target: "/data".to_owned(),
            read_only: false,
            options: crate::app::MountOptions::default(),
        }];
        assert!(app.remove_volume("data").is_err());
    }
    side.parts.container.get().network_mode = Some("service:web".to_owned());
    assert!(side.join("back", Vec::new()).is_err());
    assert!(app.remove("web").is_err());
    assert!(app.remove("none").is_err());
    app.remove("side").expect("removed");
    // Or it would be without what it was denied.
    assert!(app.add("side", "nginx:1".to_owned()).is_err());
    app.remove_volume("data").expect("removed");
    assert!(app.remove_volume("data").is_err());
    let app = app.into_app();
    assert_eq!(app.services.len(), 1);
    assert!(app.networks.is_empty() && app.volumes.is_empty());
}

#[test]
fn handles_of_one_service_share_it_and_outlive_nothing() {
    let app = app();
    let (one, other) = (
        app.handle("web").expect("it"),
        app.handle("web").expect("it"),
    );
    one.parts.container.get().hostname = Some("h".to_owned());
    assert_eq!(other.parts.container.get().hostname.as_deref(), Some("h"));
    assert!(app.handle("none").is_none());
    // Taken over although handles are still there, and no longer theirs to change.
    let taken = app.into_app();
    one.parts.container.get().privileged = true;
    assert_eq!(
        taken.services["web"].container.hostname.as_deref(),
        Some("h")
    );
    assert!(!taken.services["web"].container.privileged);
}

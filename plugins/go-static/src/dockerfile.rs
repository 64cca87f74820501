//! The Dockerfile that is written.

use rengine_plugin::{Result, ensure};

use crate::{Config, Project, package};

/// Collects what a static binary may look for and an empty image lacks. Go's own archive of time
/// zones is a tenth of the system's folder, and is there in every Go image.
const ROOTFS: &str = "\
RUN mkdir -p /rootfs/etc/ssl/certs /rootfs/usr/share && mkdir -m 1777 /rootfs/tmp \\
 && echo 'root:x:0:0:root:/:/sbin/nologin' > /rootfs/etc/passwd \\
 && echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >> /rootfs/etc/passwd \\
 && echo 'root:x:0:' > /rootfs/etc/group \\
 && echo 'nonroot:x:65532:' >> /rootfs/etc/group \\
 && certificates=/etc/ssl/certs/ca-certificates.crt \\
 && if [ -f $certificates ]; then cp $certificates /rootfs$certificates; fi \\
 && zones=$(go env GOROOT)/lib/time/zoneinfo.zip \\
 && if [ -f $zones ]; then cp $zones /rootfs/usr/share/zoneinfo.zip; fi
";

const CACHE_MOUNTS: &str = "--mount=type=cache,target=/go/pkg/mod \
                            --mount=type=cache,target=/root/.cache/go-build ";

/// Writes the Dockerfile for a project.
///
/// # Errors
///
/// Refuses settings that can't be written into a Dockerfile, and projects without a main package.
pub fn dockerfile(config: &Config, project: &Project) -> Result<String> {
    let image = match (&config.image, &project.go_version) {
        (Some(image), _) => image.clone(),
        (None, Some(version)) => format!("golang:{version}"),
        (None, None) => "golang:1".to_owned(),
    };
    let package = package(config.package.as_deref(), &project.files)?;
    let Config { base, ldflags, .. } = config;
    for (key, value) in [("image", &image), ("base", base), ("package", &package)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
        ensure!(
            !value.is_empty() && value.chars().all(plain),
            "`{key}` can't be `{}`",
            value.escape_default()
        );
    }
    // They are put between double quotes for a shell.
    let harmless = |c: char| !c.is_control() && !"\"\\$`".contains(c);
    ensure!(
        ldflags.chars().all(harmless),
        "`ldflags` can't be `{}`", ldflags.escape_default();
        hint = "leave out \", \\, $ and `"
    );

    let caches = if config.cache_mounts {
        CACHE_MOUNTS
    } else {
        ""
    };
    let mut text = format!("# Written by the rengine plugin go-static.\nFROM {image} AS build\n");
    text.push_str(ROOTFS);
    // `-buildvcs=false`: a repository that is only partly in the context fails the build.
    text.push_str("ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false\n");
    if config.cache_mounts {
        text.push_str("ENV GOMODCACHE=/go/pkg/mod GOCACHE=/root/.cache/go-build\n");
    }
    for name in &project.args {
        // Without this a build argument such as GOPROXY would not reach the commands below.
        text.push_str(&format!("ARG {name}\n"));
    }
    text.push_str("WORKDIR /src\n");
    // Downloads get a layer of their own, which source changes leave alone. A workspace's modules
    // are not all there yet, and vendored ones need no download.
    let separate =
        project.has("go.sum") && !project.has("go.work") && !project.has("vendor/modules.txt");
    if separate {
        text.push_str(&format!(
            "COPY go.mod go.sum ./\nRUN {caches}go mod download\n"
        ));
    }
    text.push_str(&format!(
        "COPY . .\n\
         RUN {caches}go build -trimpath -ldflags=\"{ldflags}\" -o /out/app {package}\n\n\
         FROM {base}\n"
    ));
    if base == "scratch" {
        text.push_str("COPY --from=build /rootfs/ /\nENV ZONEINFO=/usr/share/zoneinfo.zip\n");
    }
    text.push_str(&format!(
        "COPY --from=build /out/app /app\n\
         USER 65532:65532\n\
         EXPOSE {}\n\
         ENTRYPOINT [\"/app\"]\n",
        config.port
    ));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[&str]) -> Project {
        Project {
            files: files.iter().map(|&file| file.to_owned()).collect(),
            ..Project::default()
        }
    }

    #[test]
    fn the_whole_of_it() {
        let mut project = project(&["go.mod", "go.sum", "main.go"]);
        project.go_version = Some("1.26".to_owned());
        project.args = vec!["GOPROXY".to_owned()];
        let expected = format!(
            "# Written by the rengine plugin go-static.\n\
             FROM golang:1.26 AS build\n\
             {ROOTFS}\
             ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false\n\
             ARG GOPROXY\n\
             WORKDIR /src\n\
             COPY go.mod go.sum ./\n\
             RUN go mod download\n\
             COPY . .\n\
             RUN go build -trimpath -ldflags=\"-s -w\" -o /out/app .\n\
             \n\
             FROM scratch\n\
             COPY --from=build /rootfs/ /\n\
             ENV ZONEINFO=/usr/share/zoneinfo.zip\n\
             COPY --from=build /out/app /app\n\
             USER 65532:65532\n\
             EXPOSE 8080\n\
             ENTRYPOINT [\"/app\"]\n"
        );
        assert_eq!(dockerfile(&Config::default(), &project), Ok(expected));
    }

    #[test]
    fn downloads_have_a_layer_only_where_that_works() {
        let downloads = |files: &[&str]| {
            let text = dockerfile(&Config::default(), &project(files)).unwrap();
            text.contains("go mod download")
        };
        assert!(downloads(&["main.go", "go.sum"]));
        assert!(!downloads(&["main.go"]));
        assert!(!downloads(&["main.go", "go.sum", "go.work"]));
        assert!(!downloads(&["main.go", "go.sum", "vendor/modules.txt"]));
    }

    #[test]
    fn settings_change_their_lines() {
        let config: Config = rengine_plugin::config::from_pairs([
            ("image", "registry.example.com/go@sha256:00"),
            ("base", "gcr.io/distroless/static"),
            ("package", "cmd/web"),
            ("port", "9000"),
            ("ldflags", "-X 'main.version=1 2'"),
            ("cache-mounts", "true"),
        ])
        .unwrap();
        let text = dockerfile(&config, &project(&["cmd/web/main.go"])).unwrap();
        for line in [
            "FROM registry.example.com/go@sha256:00 AS build",
            "FROM gcr.io/distroless/static",
            "EXPOSE 9000",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(text.contains("-ldflags=\"-X 'main.version=1 2'\" -o /out/app ./cmd/web\n"));
        assert!(text.contains("RUN --mount=type=cache,target=/go/pkg/mod "));
        assert!(!text.contains("COPY --from=build /rootfs/"));
    }

    #[test]
    fn settings_can_not_add_instructions_or_commands() {
        let refused = |key: &str, value: &str| {
            let config = rengine_plugin::config::from_pairs([(key, value)]).unwrap();
            dockerfile(&config, &project(&["main.go", "a b/main.go"])).is_err()
        };
        assert!(refused("image", "a\nRUN b"));
        assert!(refused("image", ""));
        assert!(refused("base", "a AS b"));
        assert!(refused("package", "a b"));
        for ldflags in ["$(x)", "`x`", "\" x \"", "\\", "a\nb"] {
            assert!(refused("ldflags", ldflags), "{ldflags}");
        }
    }
}

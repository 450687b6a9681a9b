//! The container file agrees with itself and with the checkout, and the proxies pass a trace's context on.
//!
//! Guarantees: the image runs as a number that is not root and can write its volume; it is built with the toolchain of the
//! checkout from folders that are there, and with every package of the workspace.
//! Not here: building it, which needs an engine; running the proxies; the systemd units (`cargo xtask check deploy`).
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The words after an instruction, for each line that begins with it.
fn lines(instruction: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(top().join("deploy/Containerfile")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn the_volume_belongs_to_the_user_it_runs_as_who_is_not_root() {
    let users = lines("USER");
    let [user] = users.as_slice() else { panic!("{users:?}") };
    let (number, group) = user[0].split_once(':').unwrap();
    // A name would have to be looked up in a file that the image does not have.
    assert!(number.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    let owned = format!("--chown={}", user[0]);
    for volume in lines("VOLUME") {
        let makes = |copy: &Vec<String>| copy.last() == volume.first() && copy.contains(&owned);
        assert!(lines("COPY").iter().any(makes), "{volume:?} is root's");
    }
}

#[test]
fn it_is_built_with_the_toolchain_of_the_checkout() {
    let pinned = fs::read_to_string(top().join("rust-toolchain.toml")).unwrap();
    let channel = pinned.split('"').nth(1).unwrap();
    assert!(lines("FROM")[0][0].contains(&format!("/rust:{channel}-")), "the image has another than {channel}");
    assert_eq!(lines("ENV").first(), Some(&vec![format!("RUSTUP_TOOLCHAIN={channel}")]));
}

#[test]
fn the_image_and_the_units_give_the_process_the_same_environment() {
    let common = top().join("deploy/systemd/tollgate-.service.d/10-common.conf");
    let common = fs::read_to_string(common).unwrap();
    let of_units: Vec<_> = common.lines().filter_map(|line| line.strip_prefix("Environment=")).collect();
    // The first is of the stage that builds.
    let of_image = lines("ENV").split_off(1).concat();
    assert!(!of_units.is_empty() && of_image == of_units, "{of_image:?} and {of_units:?}");
}

/// Guarantees: a machine with copies destroys them and makes no roots of its own, and neither keeps the other from running.
#[test]
fn roots_are_made_and_destroyed_by_units_of_their_own() {
    let units = top().join("deploy/systemd");
    for verb in ["rotate", "destroy"] {
        let name = format!("tollgate-keys-{verb}@");
        let service = fs::read_to_string(units.join(format!("{name}.service"))).unwrap();
        let runs: Vec<_> = service.lines().filter_map(|line| line.strip_prefix("ExecStart=")).collect();
        assert!(runs.len() == 1 && runs[0].starts_with(&format!("/usr/bin/tollgate keys {verb} ")), "{runs:?}");
        assert!(units.join(format!("{name}.timer")).exists());
    }
}

#[test]
fn it_copies_what_is_there_and_every_package_of_the_workspace() {
    let copied: Vec<String> = lines("COPY")
        .into_iter()
        .filter(|copy| !copy[0].starts_with("--"))
        .flat_map(|copy| copy[..copy.len() - 1].to_vec())
        .collect();
    for path in &copied {
        assert!(top().join(path).exists(), "{path} is not there");
    }
    let manifest = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let folders = members.split(']').next().unwrap().split(',').map(|member| member.trim().trim_matches('"'));
    for folder in folders.map(|member| member.split('/').next().unwrap()) {
        assert!(copied.iter().any(|path| path == folder), "{folder} is not copied");
    }
}

/// Guarantees: every place of nginx that leads to a service passes both headers on, and nothing takes them away.
#[test]
fn nginx_passes_the_context_on_wherever_it_leads_to_a_service() {
    let text = fs::read_to_string(top().join("deploy/proxies/nginx.conf")).unwrap();
    let set = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let locations: Vec<&str> = set.split("location ").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(locations.len(), set.matches("_pass ").count());
    for location in locations {
        let verb = if location.contains("grpc_pass ") { "grpc_set_header" } else { "proxy_set_header" };
        for header in ["traceparent", "tracestate"] {
            assert!(location.contains(&format!("{verb} {header} $http_{header};")), "{header} is lost in {location}");
        }
    }
    assert!(set.matches('{').count() == set.matches('}').count() && !set.contains("proxy_pass_request_headers"));
}

/// Guarantees: Envoy removes no header, and sends the spans that it writes into the context to a collector.
#[test]
fn envoy_exports_the_spans_that_it_names_as_parents() {
    let text = fs::read_to_string(top().join("deploy/proxies/envoy.yaml")).unwrap();
    let (_document, faults) = tollgate_config::parse("envoy.yaml", &text);
    assert!(faults.is_empty(), "{faults}");
    let set = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    assert!(!set.contains("headers_to_remove"));
    assert!(set.contains("envoy.tracers.opentelemetry") && set.contains("envoy_grpc: {cluster_name: collector}"));
    assert!(set.contains("- name: collector\n") && set.contains("address: collector, port_value: 4317"));
}

use super::*;

fn read(text: &str) -> (Catalogue, String) {
    let (document, faults) = tollgate_config::parse("policies/catalogue.yaml", text);
    let catalogue = Catalogue::read(document.root(&faults), None);
    (catalogue, faults.to_string())
}

#[test]
fn aliases_are_names_of_one_attribute() {
    let (catalogue, faults) =
        read("attributes:\n  user.id: {class: direct, aliases: [enduser.id]}\n  http.route: op\n");
    assert_eq!(faults, "");
    let said = |name| match catalogue.find(name) {
        Found::Whole(entry) => Some((entry.attribute.as_str(), entry.class)),
        Found::Faulty | Found::Nowhere => None,
    };
    assert_eq!(said("enduser.id"), Some(("user.id", Class::Direct)));
    assert_eq!(said("http.route"), Some(("http.route", Class::Op)));
    assert_eq!(said("http.rout"), None);
}

#[test]
fn every_fault_is_reported_at_its_place_and_hides_no_other() {
    let (catalogue, faults) = read(concat!(
        "attributes:\n",
        "  a: personal\n",
        "  b.*: op\n",
        "  http.request.header.Set_Cookie: op\n",
        "  c d: {class: 1, aliases: [i.*, 2, http.route, a]}\n",
        "  e: {class: op, aliases: [f.*]}\n",
        "  http.route: {class: op, aliases: [h], on_device: 7}\n",
        "  h: op\n",
        "  j: unclassified\n",
        "  k: quasi\n",
        "devices: [k, 'k k', 7, l..]\n",
        "names: {span: ['{http.route}', '{a}', '{k} {gone}', '{', 8], event: [9]}\n",
        "extra: 1\n",
    ));
    let places: Vec<&str> =
        faults.lines().filter_map(|line| line.split(": ").next()?.strip_prefix("policies/catalogue.yaml:")).collect();
    let expected = [
        "2:6", "3:3", "4:3", "5:3", "5:16", "5:29", "5:34", "5:49", "6:28", "6:28", "7:3", "7:37", "7:52", "9:3",
        "11:14", "11:21", "11:24", "12:39", "12:39", "12:53", "12:58", "12:70", "13:1",
    ];
    assert_eq!(places, expected, "{faults}");
    assert!(matches!(catalogue.find("a"), Found::Faulty), "its fault is not repeated wherever it is used");
}

#[test]
fn a_catalogue_that_cannot_be_read_may_hold_any_name() {
    for text in ["attributes: [a]", "names: {span: ['{http.route}']}", "- a"] {
        let (catalogue, faults) = read(text);
        assert_eq!(faults.lines().count(), 1, "{faults}");
        assert!(matches!(catalogue.find("http.route"), Found::Faulty));
    }
}

#[test]
fn no_catalogue_makes_a_credential_anything_but_secret() {
    for key in ["http.request.header.authorization", "rpc.grpc.request.metadata.x_api_key", "a.header.Cookie"] {
        let (_, faults) = read(&format!("attributes:\n  {key}: free\n"));
        assert!(faults.contains("always secret"), "{faults}");
        assert_eq!(read(&format!("attributes:\n  {key}: secret\n")).1, "");
    }
}

fn read_both(base: &str, own: &str) -> (Catalogue, String) {
    let (set, faults) =
        tollgate_config::Set::from_texts([("policies/catalogue.yaml", base), ("policies/catalogue-own.yaml", own)]);
    let root = |name| set.get(name).unwrap().root(&faults);
    let catalogue = Catalogue::read(root("policies/catalogue.yaml"), Some(root("policies/catalogue-own.yaml")));
    (catalogue, faults.to_string())
}

#[test]
fn a_deployment_adds_its_own_keys_in_a_second_document() {
    let (catalogue, faults) = read_both(
        "attributes:\n  http.route: op\ndevices: [device.*]\n",
        "attributes:\n  acme.tenant: {class: quasi, aliases: [acme.org]}\n  acme.step: op\n\
         devices: [acme.phone]\nnames: {span: ['{acme.step} {http.route}'], event: [acme.paid]}\n",
    );
    assert_eq!(faults, "");
    let class = |key| catalogue.classify(key).map(|entry| entry.class);
    assert_eq!(
        [class("acme.org"), class("http.route"), class("acme.none")],
        [Some(Class::Quasi), Some(Class::Op), None]
    );
    assert!(catalogue.marks_device("acme.phone") && catalogue.marks_device("device.id"));
    assert!(catalogue.event_names.contains("acme.paid"));
    assert_eq!(read_both("attributes: {http.route: op}", "names: {event: [a]}").1, "", "it need not add attributes");
}

#[test]
fn a_deployment_cannot_give_a_shipped_key_another_class() {
    for own in ["url.query: op", "acme.q: {class: op, aliases: [url.query]}"] {
        let (_, faults) = read_both("attributes:\n  url.query: secret\n", &format!("attributes:\n  {own}\n"));
        assert!(
            faults.contains("already a name of `url.query` in policies/catalogue.yaml: change it there"),
            "{faults}"
        );
    }
    let (_, faults) = read_both("attributes:\n  a: op\n", "attributes:\n  x.header.cookie: free\nextra: 1\n");
    assert!(
        faults.contains("always secret") && faults.contains("catalogue-own.yaml:3:1: extra: unknown key"),
        "{faults}"
    );
}

#[test]
fn guards_are_read_and_of_two_documents_both_hold() {
    let (catalogue, faults) = read_both(
        "attributes: {a: op}\nguards: {op: {longest: 64}, quasi: {characters: identifier}}\n",
        "guards: {op: {longest: 128, characters: identifier}}\n",
    );
    assert_eq!(faults, "");
    let op = catalogue.guards[&Class::Op];
    assert!(op.admits(&[b'a'; 64]) && !op.admits(&[b'a'; 65]) && !op.admits(b"a b"));
    for guard in
        ["op: {longest: 257}", "op: {longest: 0}", "free: {longest: 9}", "op: {characters: any}", "op: {most: 1}"]
    {
        let (_, faults) = read(&format!("attributes: {{a: op}}\nguards: {{{guard}}}\n"));
        assert_eq!(faults.lines().count(), 1, "{guard}: {faults}");
    }
}

/// Guarantees: old and new names of one attribute are one attribute of the shipped catalogue, pair by pair.
#[test]
fn every_pair_of_old_and_new_names_is_one_attribute() {
    let (catalogue, faults) = read(include_str!("../../../../policies/catalogue.yaml"));
    assert_eq!(faults, "");
    for (old, new) in renames::RENAMES {
        let one = |name: &str| match catalogue.find(name) {
            Found::Whole(entry) => entry.clone(),
            Found::Faulty | Found::Nowhere => panic!("{name} has no class"),
        };
        assert_eq!(one(old), one(new), "{old} and {new}");
    }
}

#[test]
fn every_alias_of_the_shipped_catalogue_is_a_known_pair() {
    let (catalogue, _) = read(include_str!("../../../../policies/catalogue.yaml"));
    let known = |name: &str, of: &str| {
        renames::RENAMES.iter().any(|(old, new)| {
            (*old == name && (*new == of || catalogue.classify(new).is_some_and(|entry| entry.attribute == of)))
                || (*new == name && *old == of)
        })
    };
    let unknown: Vec<_> = catalogue
        .entries()
        .filter(|(name, entry)| *name != entry.attribute && !known(name, &entry.attribute))
        .map(|(name, entry)| (name.to_owned(), entry.attribute.clone()))
        .collect();
    assert_eq!(unknown, []);
}

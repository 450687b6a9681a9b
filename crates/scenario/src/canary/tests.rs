#![allow(clippy::unwrap_used, reason = "tests")]

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::*;

/// Has bytes that base64 writes with `+`, `/`, `-` and `_`.
const MAIL: &str = "anna.~~~?>x9k2m4";
const NUMBER: u64 = 4_929_420_113_377_004;

fn canary(needle: &str) -> Canary {
    Canary { region: "eu-west".to_owned(), kind: "user.email", needle: needle.to_owned() }
}

fn search(bytes: &[u8]) -> Vec<Encoding> {
    let search = Search::new([&canary("somebody.else.7"), &canary(MAIL), &canary(&NUMBER.to_string())]).unwrap();
    let mut report = Report::default();
    search.read(Path::new("memory"), bytes, &mut report).unwrap();
    assert_eq!(report.bytes, bytes.len() as u64);
    assert!(report.hits.iter().all(|hit| hit.canary > 0));
    report.hits.into_iter().map(|hit| hit.encoding).collect()
}

#[test]
fn a_clean_text_has_no_hits() {
    assert_eq!(search(b"anna.~~~?>x9k2m5, anna.x9k2m4, 4929420113377005"), []);
}

#[test]
fn a_value_is_found_in_text_of_any_case() {
    assert_eq!(search(format!("GET /users/{MAIL}/cart").as_bytes()), [Encoding::Raw]);
    assert_eq!(search(MAIL.to_uppercase().as_bytes()), [Encoding::Raw]);
}

#[test]
fn a_value_is_found_in_both_cases_of_hexadecimal() {
    let text = format!("<{MAIL}>");
    assert_eq!(search(HEXLOWER.encode(text.as_bytes()).as_bytes()), [Encoding::Hex]);
    assert_eq!(search(HEXUPPER.encode(text.as_bytes()).as_bytes()), [Encoding::Hex]);
}

#[test]
fn a_value_is_found_at_each_alignment_of_base64_in_either_alphabet() {
    for before in 0..7 {
        for after in 0..4 {
            let text = format!("{}{MAIL}{}", "b".repeat(before), "a".repeat(after));
            assert_eq!(search(BASE64.encode(text.as_bytes()).as_bytes()).len(), 1, "{before} {after}");
            assert_eq!(search(BASE64_NOPAD.encode(text.as_bytes()).as_bytes()).len(), 1, "{before} {after}");
            assert_eq!(search(BASE64URL_NOPAD.encode(text.as_bytes()).as_bytes()).len(), 1, "{before} {after}");
        }
    }
}

#[test]
fn a_number_is_found_as_text_varint_and_fixed_width() {
    assert_eq!(search(format!("{{\"intValue\":\"{NUMBER}\"}}").as_bytes()), [Encoding::Raw]);
    let mut message = Vec::new();
    tollgate_otlp::Writer::new(&mut message).varint(3, NUMBER);
    assert_eq!(search(&message), [Encoding::Varint]);
    message.clear();
    tollgate_otlp::Writer::new(&mut message).fixed64(6, NUMBER);
    assert_eq!(search(&message), [Encoding::Fixed]);
}

#[test]
fn a_value_across_two_reads_is_found() {
    let search = Search::new([&canary(MAIL)]).unwrap();
    for cut in 1..MAIL.len() {
        let (head, tail) = MAIL.as_bytes().split_at(cut);
        let mut report = Report::default();
        search.read(Path::new("memory"), head.chain(tail), &mut report).unwrap();
        assert_eq!(report.found(), 1, "{cut}");
    }
}

#[test]
fn folders_are_searched_to_their_depths_and_say_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("spool.seg"), [&[0_u8; 3_000_000], MAIL.as_bytes()].concat()).unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let report = Search::new([&canary(MAIL)]).unwrap().folders(&[folder.path()]).unwrap();
    assert_eq!((report.files, report.bytes), (2, 3_000_000 + MAIL.len() as u64));
    let [hit] = report.hits.as_slice() else { panic!("{:?}", report.hits) };
    assert_eq!((hit.offset, hit.place.clone()), (3_000_000, deep.join("spool.seg")));
    assert!(!hit.to_string().contains(MAIL));
}

#[test]
fn zeros_at_the_end_of_a_file_are_passed_over_and_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let number = NUMBER.to_le_bytes();
    assert_eq!(number[7], 0, "its last byte looks like the zeros behind it");
    for end in [BLOCK, 3 * BLOCK - 1, 3 * BLOCK, 3 * BLOCK + 7, 4 * BLOCK] {
        let mut file = vec![0; 4 * BLOCK];
        file[end - 7..end].copy_from_slice(&number[..7]);
        file.extend([0; 100]);
        fs::write(folder.path().join("segment"), file).unwrap();
        let report = Search::new([&canary(&NUMBER.to_string())]).unwrap().folders(&[folder.path()]).unwrap();
        assert_eq!(report.hits.len(), 1, "{end}");
        assert!(report.bytes <= (end + BLOCK + 107) as u64, "{end}: {}", report.bytes);
    }
}

#[test]
fn a_missing_folder_is_an_error_and_not_a_clean_result() {
    let search = Search::new([&canary(MAIL)]).unwrap();
    assert!(matches!(search.folders(&["/nowhere/at/all"]), Err(SearchError::Unreadable { .. })));
}

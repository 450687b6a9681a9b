use proptest::prelude::*;

use super::*;

fn classes(text: &str) -> Vec<Class> {
    in_text(text.as_bytes()).classes().collect()
}

fn all_are(class: Class, texts: &[&str]) {
    for text in texts {
        assert_eq!(classes(text), [class], "{text}");
    }
}

#[test]
fn people_are_found_by_mail_card_account_and_telephone() {
    all_are(
        Class::Direct,
        &[
            "jane@example.org",
            "mailto:Jane.Doe+x@mail.example.co.uk?subject=1",
            "zoë@exämple.org",
            "4111111111111111",
            "4111 1111 1111 1111",
            "paid with 5555-5555-5555-4444 today",
            "card:378282246310005",
            "3782 822463 10005",
            "6011.1111.1111.1117",
            "3056 930902 5904",
            "7 4111 1111 1111 1111",
            "x4111111111111111y",
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "iban=gb29nwbk60161331926819",
            "NO93 8601 1117 947",
            "+49 30 901820",
            "tel:+442079460958",
            "+1 (202) 555-0143",
        ],
    );
}

#[test]
fn households_are_found_by_address() {
    all_are(
        Class::Online,
        &[
            "203.0.113.7",
            "10.1.2.3:8080",
            "from 203.0.113.7, via nothing",
            "203.0.113.7.dyn.example",
            "/hosts/203.0.113.7/",
            "2001:db8::17",
            "[2001:db8::17]:443",
            "::ffff:203.0.113.7",
            "fe80::1:2",
            "2001:db8:0:0:0:0:0:17",
            "client:2a02:8109:1::7",
            "ipv6:2a02:8109:1::7",
            "peer_2a02:8109:1::7",
            "2a02:8109:1:2:3:4:5:6:443",
            "peer:2a02:8109:1:2:3:4:5:6:443",
            "2a02:8109:1::7:44300",
            "2a02:8109:1::7:tcp",
            "2a02:8109:1::7_eth0",
            "2a02:8109:1::7.",
            "host.2a02:8109:1::7",
        ],
    );
}

#[test]
fn doors_are_found_by_their_keys() {
    all_are(
        Class::Secret,
        &[
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
            "AKIAIOSFODNN7EXAMPL3",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "token:glpat-0123456789abcdefghij",
            "xoxb-0123456789-abc",
        ],
    );
}

#[test]
fn words_of_a_system_are_not() {
    for text in [
        "",
        "GET",
        "/users/{id}/orders/*",
        "1.2.3+20260101",
        "1.2.3-rc.1+12345678",
        "10.0.19045",
        "1.0.0.0",
        "0.0.0.0:4317",
        "127.0.0.1:5432",
        "[::]:4317",
        "::1",
        "2001:db8:1::",
        "12:30:45",
        "a::B",
        "std::face::Dead",
        "std::a1::b2::new",
        "arn:aws:iam::123456789012:role",
        "e1:f2",
        "00:1a:2b:3c:4d:5e",
        "checkout-7d9f5c6b8-x2x7k",
        "8f14e45f-ceea-467f-a8b0-2b1e0e6c6a1d",
        "4111111111111112",
        "9111111111111111",
        "2026-11-21T19:00:00.000Z",
        "1796126400000000000",
        "DE00370400440532013000",
        "task-7d9f5c6b8-x2x7k",
        "task-0123456789abcdefghij0123456789abcdef",
        "sk-short1",
        "eyJ1",
        "@",
        "user@host",
        "a @ b.c",
        "blk_-1608999687919862906",
    ] {
        assert_eq!(classes(text), [], "{text}");
    }
}

#[test]
fn numbers_are_cards_too() {
    assert_eq!(in_number(4_111_111_111_111_111), Found { direct: true, ..Found::NOTHING });
    assert_eq!(in_number(whole(-4_111_111_111_111_111.0)), Found { direct: true, ..Found::NOTHING });
    for number in [0, 200, 4_111_111_111_111_112, 1_796_126_400_000_000_000, u64::MAX] {
        assert_eq!(in_number(number), Found::NOTHING);
    }
}

/// Something that must be found, with its class.
fn found() -> impl Strategy<Value = (String, Class)> {
    let card = ("(4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12})", any::<bool>()).prop_map(|(digits, grouped)| {
        let checked = with_check_digit(&digits);
        let groups: Vec<&str> = [0..4, 4..8, 8..12, 12..16].map(|group| checked.get(group).unwrap_or("")).into();
        (if grouped && checked.len() == 16 { groups.join(" ") } else { checked }, Class::Direct)
    });
    prop_oneof![
        card,
        "[a-z]{1,8}(\\.[a-z0-9]{1,5})?@[a-z0-9]{1,8}\\.[a-z]{2,6}".prop_map(|text| (text, Class::Direct)),
        "\\+[1-9][0-9]{7,14}".prop_map(|text| (text, Class::Direct)),
        any::<[u8; 4]>()
            .prop_filter("somebody's", |[one, .., four]| *one != 127 && *four != 0)
            .prop_map(|octets| (std::net::Ipv4Addr::from(octets).to_string(), Class::Online)),
        any::<[u16; 7]>().prop_map(|[a, b, c, d, e, f, g]| {
            let address = std::net::Ipv6Addr::new(0x2001, a, b, c, d, e, f, g | 1);
            (if g % 2 == 0 { address.to_string() } else { format!("[{address}]") }, Class::Online)
        }),
        "eyJ[A-Za-z0-9_-]{8,20}J0U6I9\\.[A-Za-z0-9_-]{2,30}\\.[A-Za-z0-9_-]{0,30}"
            .prop_map(|text| (text, Class::Secret)),
        "(AKIA|ASIA)[A-Z0-9]{15}[0-9]".prop_map(|text| (text, Class::Secret)),
        "gh[pousr]_[A-Za-z0-9]{30}A1B2C3".prop_map(|text| (text, Class::Secret)),
    ]
}

fn with_check_digit(digits: &str) -> String {
    let fits = |last: &u8| {
        let all: Vec<u32> = digits.bytes().chain([*last]).map(|byte| u32::from(byte - b'0')).collect();
        let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
        let pairs = all.iter().rev().enumerate();
        pairs.map(|(at, digit)| if at % 2 == 0 { *digit } else { doubled(*digit) }).sum::<u32>() % 10 == 0
    };
    let last = (b'0'..=b'9').find(fits).map_or('0', char::from);
    format!("{digits}{last}")
}

proptest! {
    /// Guarantees: what is looked for is found between any words, and the quick look never hides it.
    #[test]
    fn it_is_found_wherever_it_stands((text, class) in found(), before in "([a-z{}]{1,6}[ /])?", after in "([ /][a-z{}]{1,6})?") {
        let text = format!("{before}{text}{after}");
        prop_assert!(in_text(text.as_bytes()).classes().any(|found| found == class), "{text}");
        prop_assert!(crate::operational::look(text.as_bytes()) != crate::operational::Look::Plain, "{text}");
    }

    /// Guarantees: where one look is enough, the whole search finds nothing.
    #[test]
    fn the_quick_look_hides_nothing(text in "[a-zA-Z0-9 ._:+{}/-]{0,40}") {
        if crate::operational::look(text.as_bytes()) == crate::operational::Look::Plain {
            prop_assert_eq!(in_text(text.as_bytes()), Found::NOTHING);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = in_text(&text);
    }
}

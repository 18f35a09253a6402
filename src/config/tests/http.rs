//! `[http]`.

use super::{Config, errors};

#[test]
fn a_credential_may_be_named_after_its_purpose() {
    for name in ["http-password", "advisoryd_password", "passwd.txt", "token"] {
        let text = format!("[http]\npassword_file = \"{name}\"\n");
        let http = Config::from_text("c.toml", &text).unwrap().http;
        assert_eq!(&*http.password_file.unwrap().given, name);
    }
}

#[test]
fn the_key_of_a_mistake_is_named_and_its_value_is_not() {
    for (value, part) in [
        ("\"hunter2 and more\"", "hunter2"),
        ("\"Xy12Zz34Xy12Zz34Xy12Zz34\"", "Xy12"),
        ("17", "17"),
    ] {
        let all = errors(&format!("[http]\npassword_file = {value}\n")).join("\n");
        assert!(all.contains("http.password_file"), "{all}");
        assert!(!all.contains(part), "{all}");
    }
    let all = errors("[http]\npassword = \"hunter2\"\n").join("\n");
    assert!(
        all.contains("`http.password`") && all.contains("password_file"),
        "{all}"
    );
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn addresses_that_other_machines_reach_need_permission_and_a_password() {
    for address in [
        "127.0.0.1:1",
        "localhost:1",
        "LocalHost:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
        "127.9.9.9:1",
    ] {
        assert!(Config::from_text("c.toml", &format!("[http]\nlisten = \"{address}\"\n")).is_ok());
    }
    for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
        let alone = errors(&format!("[http]\nlisten = \"{address}\"\n")).join("\n");
        assert!(alone.contains("allow_remote = true"), "{alone}");
        let open = errors(&format!(
            "[http]\nlisten = \"{address}\"\nallow_remote = true\n"
        ));
        assert!(
            open.join("\n").contains("needs `password_file`"),
            "{open:?}"
        );
        let whole = format!(
            "[http]\nlisten = \"{address}\"\nallow_remote = true\npassword_file = \"/p\"\n"
        );
        assert!(Config::from_text("c.toml", &whole).is_ok(), "{address}");
    }
}

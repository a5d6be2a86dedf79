//! The names that containers, networks and volumes get: the same for the same place, so that a start is idempotent.

use crate::base::digest::Digest;
use crate::base::owner::Owner;

/// The longest name: that of a DNS label, since a container is found under its name.
pub const LONGEST: usize = 63;
/// How many characters of the workspace's id are in it.
const WORKSPACE: usize = 8;
/// How many digits of the digest stand at the end of a name that does not say everything.
const DIGITS: usize = 8;

/// The name of a place's thing: `sculpt-<workspace>-<goal>-<phase>-<resource>`.
///
/// Where characters had to be replaced (a loop's `build[a]`), where a part holds a `-` itself (so that `a-b/c` and `a/b-c` differ), or where
/// it is too long, a piece of the place's digest stands at its end.
pub fn name_of(workspace: &str, owner: &Owner) -> String {
    let place = owner.to_string();
    let readable: String = place.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' }).collect();
    let mut name = format!("sculpt-{}-{readable}", workspace.chars().take(WORKSPACE).collect::<String>());
    let exact = place.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/'));
    if !exact || name.len() > LONGEST {
        let digest = Digest::of(place.as_bytes()).to_string();
        name.truncate(LONGEST - DIGITS - 1);
        name = format!("{}-{}", name.trim_end_matches('-'), &digest[..DIGITS]);
    }
    name
}

/// The tag of the image that is built for a place: its name, in the letters that an image may have.
pub fn tag_of(workspace: &str, owner: &Owner) -> String {
    format!("{}:latest", name_of(workspace, owner).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(place: &str) -> String {
        name_of("0123456789ab", &place.parse().unwrap())
    }

    #[test]
    fn a_plain_place_is_read_in_its_name() {
        assert_eq!(of("crm/server/db"), "sculpt-01234567-crm-server-db");
        assert_eq!(of("crm/server"), "sculpt-01234567-crm-server");
    }

    #[test]
    fn different_places_have_different_names() {
        let long = "x".repeat(64);
        let places = [
            "a-b/c/d".to_owned(),
            "a/b-c/d".to_owned(),
            "a/b/c-d".to_owned(),
            "a/b/c".to_owned(),
            "a/b[1]/c".to_owned(),
            "a/b[2]/c".to_owned(),
            "a/b.1./c".to_owned(),
            format!("{long}/{long}/a"),
            format!("{long}/{long}/b"),
        ];
        let names: std::collections::BTreeSet<String> = places.iter().map(|place| of(place)).collect();
        assert_eq!(names.len(), places.len(), "{names:?}");
        for name in names {
            assert!(name.len() <= LONGEST, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)), "{name}");
        }
    }
}

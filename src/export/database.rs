//! How a database may be called that collections are exported into: one rule, whether it is a folder or lies on a server.

/// Databases that MongoDB keeps for itself: users, settings, and what a member of a set knows alone.
const RESERVED: [&str; 3] = ["admin", "config", "local"];

/// Most bytes of a name.
const MAX_NAME_BYTES: usize = 63;

/// Why a database is not called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseNameError {
    /// It is no name that a folder and a database may both have.
    #[error("a database's name has 1 to {MAX_NAME_BYTES} letters from a to z in either size, digits, - and _")]
    Malformed,
    /// It is one of MongoDB's own.
    #[error("MongoDB keeps the database {0} for itself, and a server would not take the collections there")]
    Reserved(&'static str),
}

/// Refuses a name that no database may have which collections are exported into.
///
/// # Errors
///
/// It has letters that a folder or a database may not have, or is too long; MongoDB keeps it for itself.
pub fn check_database_name(name: &str) -> Result<(), DatabaseNameError> {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(is_good) {
        return Err(DatabaseNameError::Malformed);
    }
    // A server tells no two apart by the size of their letters.
    match RESERVED.iter().find(|reserved| reserved.eq_ignore_ascii_case(name)) {
        Some(reserved) => Err(DatabaseNameError::Reserved(reserved)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_folder_and_of_a_database_and_not_mongodbs_own() {
        for good in ["lucid", "a", "admins", "Lucid-2_b", &"x".repeat(63)] {
            assert_eq!(check_database_name(good), Ok(()), "{good}");
        }
        let letters = "/\\. \"$*<>:|?\0é".chars().map(|letter| format!("a{letter}b"));
        for bad in letters.chain([String::new(), ".".into(), "..".into(), "x".repeat(64)]) {
            assert_eq!(check_database_name(&bad), Err(DatabaseNameError::Malformed), "{bad:?}");
        }
        for reserved in ["admin", "local", "config", "Admin"] {
            let said = check_database_name(reserved).unwrap_err().to_string();
            assert!(said.starts_with(&format!("MongoDB keeps the database {}", reserved.to_lowercase())), "{said}");
        }
    }
}

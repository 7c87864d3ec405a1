use super::hosts::{LOOPBACK_NAMES, split};

/// The web pages that may call the node. A browser names the page's origin in a header that the page cannot change.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// The origins that the operator allows.
    pub(crate) fn new(allowed: &[String]) -> Self {
        Self(allowed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// Whether a page of this origin may call over HTTP and read what is answered.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Whether a page of this origin may open a WebSocket. Browsers ask nobody before they open one, so a page of
    /// any site could; those that this machine serves itself may.
    pub(crate) fn allow_socket(&self, origin: &str) -> bool {
        self.allow(origin) || is_loopback(origin)
    }
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| LOOPBACK_NAMES.iter().any(|name| name.eq_ignore_ascii_case(split(host).0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_pages_call_and_those_of_this_machine_open_sockets() {
        let origins = Origins::new(&["https://App.example/".to_owned()]);
        assert!(origins.allow("https://app.example") && origins.allow_socket("https://app.example"));
        for origin in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:8000"] {
            assert!(origins.allow_socket(origin) && !origins.allow(origin), "{origin}");
        }
        let strangers = [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.com",
            "http://localhost.evil.com",
            "http://evil.com:8545",
            "file://localhost",
            "https://app.example:444",
            "http://localhost:x",
        ];
        for origin in strangers {
            assert!(!origins.allow_socket(origin), "{origin}");
        }
    }
}

use super::settings::{SETTINGS, env_name};

/// The configuration file to begin from: every setting with its default, commented out.
pub fn template() -> String {
    let mut text = String::from(
        "# Configuration of lucid-node. What is commented out has the value shown.\n\
         # A flag beats the environment, which beats this file; `lucid-node config show` says what holds.\n\
         # A relative path begins at the folder of this file.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let Some((of, name)) = setting.key.split_once('.') else { continue };
        if of != section {
            text.push_str(&format!("\n[{of}]\n"));
            section = of;
        }
        let default = setting.default;
        let plain = default.bytes().all(|byte| byte.is_ascii_digit()) && !default.is_empty();
        let quote = if plain || matches!(default, "true" | "false") { "" } else { "\"" };
        text.push_str(&format!(
            "# {} ({})\n# {name} = {quote}{default}{quote}\n",
            setting.about,
            env_name(setting.key)
        ));
    }
    text.push_str(
        "\n# What belongs to the chain was fixed when it was made. It may be repeated here (the values\n# below are an example), and is then held against it.\n\
         [chain]\n# id = 58243\n# slot-duration-secs = 120\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigFile, Flags, Source};

    fn load(text: String) -> Config {
        Config::load(&Flags::default(), [], [&ConfigFile { path: "lucid.toml".into(), text }]).unwrap()
    }

    #[test]
    fn the_file_to_begin_from_says_nothing_and_uncommented_says_the_defaults() {
        let commented = load(template());
        assert!(commented.entries().iter().all(|entry| entry.source == Source::Default));
        let lines = template().lines().map(|line| line.to_owned()).collect::<Vec<_>>();
        let set = lines.iter().map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) => rest,
            _ => line,
        });
        let uncommented = load(set.collect::<Vec<_>>().join("\n"));
        let values = |config: &Config| config.entries().into_iter().map(|e| (e.key, e.value)).collect::<Vec<_>>();
        assert_eq!(values(&uncommented)[..SETTINGS.len()], values(&commented)[..]);
        assert_eq!(uncommented.entries().len(), SETTINGS.len() + 2);
        assert!(uncommented.entries().iter().all(|entry| entry.source != Source::Default));
    }
}

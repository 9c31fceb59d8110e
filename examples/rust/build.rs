//! Finds the installed library with the pkg-config program. QNT_STATIC=1 links it statically.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-env-changed=QNT_STATIC");
    let linked_statically = env::var_os("QNT_STATIC").map_or(false, |v| v == "1");

    let mut command = Command::new(env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into()));
    if linked_statically {
        command.arg("--static");
    }
    let output = command.args(["--libs", "qnt >= 1.0.0"]).output().expect("pkg-config runs");
    if !output.status.success() {
        panic!("pkg-config knows no libqnt: {}", String::from_utf8_lossy(&output.stderr));
    }

    for flag in String::from_utf8(output.stdout).expect("flags are text").split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={}", folder);
            println!("cargo:rerun-if-changed={}/libqnt.a", folder);
            if !linked_statically {
                println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder);
            }
        } else if let Some(library) = flag.strip_prefix("-l") {
            let kind = if library == "qnt" && linked_statically { "static=" } else { "" };
            println!("cargo:rustc-link-lib={}{}", kind, library);
        }
    }
}

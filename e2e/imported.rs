//! What `sculpt import` makes of a Compose file is carried out as it stands: order, health, networks, volumes, limits, restarts, profiles.

use crate::docker::fixture::{IMAGE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_docker};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A web server, a job that fills a volume once that is healthy, what comes after the job, and one that only a profile wants.
const COMPOSE: &str = "
name: shop
services:
  web:
    image: IMAGE
    command: httpd -f -p 80 -h /www
    volumes: [ \"./www:/www:ro\", \"data:/data\" ]
    ports: [ \"127.0.0.1:PORT:80\" ]
    networks: [ front ]
    healthcheck: { test: [ CMD, wget, -q, -O, /dev/null, \"http://127.0.0.1/\" ], interval: 1s, retries: 30 }
    restart: on-failure
    deploy: { resources: { limits: { memory: 64M, pids: 50 } } }
  fill:
    image: IMAGE
    command: sh -c 'wget -q -O /data/page http://web/ && cat /data/page'
    volumes: [ \"data:/data\" ]
    networks: [ front ]
    depends_on: { web: { condition: service_healthy } }
  after:
    image: IMAGE
    command: sleep 86400
    stop_grace_period: 1s
    networks: [ front ]
    depends_on: { fill: { condition: service_completed_successfully } }
  debug:
    image: IMAGE
    command: sleep 86400
    profiles: [ debug ]
networks: { front: {} }
volumes: { data: {} }
";

#[test]
fn a_compose_file_is_carried_out_as_it_stands_and_goes_whole() {
    if !there_is_docker("an imported Compose file") {
        return;
    }
    let workspace = Workspace::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    workspace.write("compose.yml", &COMPOSE.replace("IMAGE", IMAGE).replace("PORT", &port.to_string()));
    workspace.write("www/index.html", "hello");
    workspace.sculpt("import compose.yml -o goals/shop.yaml").run().expect(0);
    workspace.sculpt("run goals/shop.yaml").run().expect(0);
    let said = workspace.sculpt("logs shop/fill").run().expect(0).out;
    assert!(said.contains("hello"), "{said}");
    let names = || -> Vec<String> {
        let ps = workspace.ps();
        let mut live: Vec<String> = ps["resources"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["kind"] == "container")
            .map(|one| one["owner"].to_string())
            .collect();
        live.sort();
        live
    };
    assert_eq!(names(), ["\"shop/after/after\"", "\"shop/web/web\""], "and no profile");
    let label = |id: &String| docker(&["inspect", "--format", "{{index .Config.Labels \"io.opensculpt.owner\"}}", id]) == "shop/web/web";
    let web = containers(&workspace).into_iter().find(label).unwrap();
    assert_eq!(docker(&["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", &web]), "67108864 50");
    docker(&["kill", &web]);
    let anew = || containers(&workspace).into_iter().find(|id| *id != web && label(id));
    let anew = until("another one in its place", anew);
    until("its readiness", || {
        let ps = workspace.ps();
        let web = ps["resources"].as_array().unwrap().iter().find(|one| one["owner"] == "shop/web/web").cloned()?;
        (web["state"] == "ready").then_some(())
    });
    assert_ne!(anew, web);
    workspace.sculpt("down shop --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "an imported Compose file");
}

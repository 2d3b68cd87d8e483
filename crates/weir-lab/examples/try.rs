//! scratch
use std::time::{Duration,Instant};
use weir_lab::*;
use weir_datapath::traffic::*;
fn main() -> anyhow::Result<()> {
    let a: Vec<String> = std::env::args().collect();
    let pps: u64 = a[1].parse()?; let kind=&a[2]; let protect = a.get(3).is_some_and(|x| x=="standin");
    let t=Instant::now();
    let lab = lab::Lab::up(topology::Shape::default(), "try")?;
    eprintln!("up in {:?}", t.elapsed());
    if std::env::var("THREADED").is_ok() {
        tool::run("ip", &["netns","exec",lab.layout().node.name(),"sh","-c","echo 1 > /sys/class/net/up0/threaded; for p in $(pgrep napi/up0); do taskset -pc 1 $p; done"])?;
    }
    if let Ok(m)=std::env::var("RPS") {
        tool::run("ip", &["netns","exec",lab.layout().node.name(),"sh","-c",&format!("echo {m} > /sys/class/net/up0/queues/rx-0/rps_cpus")])?;
    }
    let servers = server::Servers::start(&lab, 0)?;
    for (to, answer) in customers::probe(&lab)? { eprintln!("{to} {answer:?}"); }
    for e in std::fs::read_dir("/proc")?.flatten() { if let Some(pid)=e.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) {
        let comm=std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if comm.starts_with("nginx") { cpu::pin(rustix::process::Pid::from_raw(pid), 1, 0)?; }
    } }
    for t in std::fs::read_dir("/proc/self/task")?.flatten() { let tid: i32=t.file_name().to_str().unwrap().parse()?; if std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"))?.starts_with("lab-dns") { cpu::pin(rustix::process::Pid::from_raw(tid),1,0)?; } }
    let c = customers::Customers::start(&lab, customers::Load::default())?;
    for t in std::fs::read_dir("/proc/self/task")?.flatten() { let tid: i32=t.file_name().to_str().unwrap().parse()?; if std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"))?.starts_with("lab-customers") { cpu::pin(rustix::process::Pid::from_raw(tid),0,-20)?; } }
    std::thread::sleep(Duration::from_millis(500));
    let cpu=|| std::fs::read_to_string("/proc/stat").unwrap().lines().skip(1).take(2).map(|l| l.split_whitespace().skip(1).map(|x| x.parse().unwrap()).collect::<Vec<u64>>()).collect::<Vec<_>>();
    let show=|a:Vec<Vec<u64>>,b:Vec<Vec<u64>>,s:f64| for i in 0..2 { let d:Vec<f64>=a[i].iter().zip(&b[i]).map(|(x,y)| (y-x) as f64/s).collect(); eprintln!("   cpu{i} user {:.0} sys {:.0} idle {:.0} irq {:.0} softirq {:.0} steal {:.0}", d[0],d[2],d[3],d[5],d[6],d[7]); };
    let k=cpu(); c.open_window(); std::thread::sleep(Duration::from_secs(3)); let f=c.close_window()?; show(k,cpu(),3.0);
    eprintln!("alone: goodput {:.0} pages {:?} names {:?}", f.goodput, f.pages, f.names);
    let bare=f.goodput;
    let guard = if protect { Some(lab.layout().node.within(|| { let mut s=StandIn::load(plan::CUSTOMERS_V4, plan::CUSTOMERS_V6)?; let a=s.attach(&LabInterface::open("up0")?)?; Ok((s,a)) })?) } else {None};
    let frame = |source, destination, protocol, payload| Stream { name: "a".into(), weight: 1, frame: Frame { from_mac: plan::ROUTER_MAC, to_mac: plan::NODE_MAC, source, destination, hops: 40..=60, protocol, payload } };
    let p4: std::net::IpAddr = plan::pod_v4(0).into();
    let tcp = |flags| Protocol::Tcp { from: Ports::EPHEMERAL, to: Ports::one(80), flags, options: vec![] };
    let stream = match kind.as_str() {
        "syn" => frame(Source::any_v4(), p4, tcp(2), Payload::none()),
        "ack" => frame(Source::any_v4(), p4, tcp(16), Payload::none()),
        "udp" => frame(Source::any_v4(), p4, Protocol::Udp { from: Ports::EPHEMERAL, to: Ports::one(53) }, Payload { bytes: server::dns::question(7), zeros: 0..=0 }),
        "udpx" => frame(Source::any_v4(), p4, Protocol::Udp { from: Ports::one(123), to: Ports::EPHEMERAL }, Payload::zeros(440)),
        "icmp" => frame(Source::any_v4(), p4, Protocol::Echo, Payload::zeros(56)),
        "frag" => frame(Source::any_v4(), p4, Protocol::Fragment{first_to:None}, Payload::zeros(1024)),
        _ => panic!() };
    let running = flood::start(&lab, Flood { streams: vec![stream], pps, packets: pps*10, time: Duration::from_secs(10) }, 1)?;
    std::thread::sleep(Duration::from_millis(1000));
    let rx = |ns: &netns::Netns, d: &str| -> anyhow::Result<f64> { let t=tool::run("ip", &["-n", ns.name(), "-s","link","show",d])?; Ok(t.lines().nth(3).unwrap().split_whitespace().nth(1).unwrap().parse()?) };
    let napi: i32 = std::fs::read_dir("/proc")?.flatten().filter_map(|e| e.file_name().to_str().and_then(|n| n.parse().ok())).filter(|p: &i32| std::fs::read_to_string(format!("/proc/{p}/comm")).is_ok_and(|c| c.starts_with("napi/up0"))).max().unwrap_or(0);
    if std::env::var("RT").is_ok() { tool::run("chrt", &["-f","-p","1",&napi.to_string()])?; }
    if std::env::var("GRT").is_ok() { for t in std::fs::read_dir("/proc/self/task")?.flatten() { let tid: i32=t.file_name().to_str().unwrap().parse()?; let c=std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"))?; if c.starts_with("lab-flood") { tool::run("chrt", &["-f","-p","1",&tid.to_string()])?; } if c.starts_with("lab-customers") { tool::run("chrt", &["-f","-p","2",&tid.to_string()])?; } } }
    let ticks = || std::fs::read_to_string(format!("/proc/{napi}/stat")).ok().map(|s| { let v: Vec<&str>=s.rsplit(')').next().unwrap().split_whitespace().collect(); v[12].parse::<f64>().unwrap() }).unwrap_or(0.0);
    let before = lab.forwarded()?; let k=cpu(); let (n0,r0,p0)=(ticks(),rx(&lab.layout().node,"up0")?,rx(&lab.layout().pods[0],"eth0")?); let t0=Instant::now();
    c.open_window(); std::thread::sleep(Duration::from_secs(4));
    let el=t0.elapsed().as_secs_f64(); eprintln!("flood: forwarded {:.0} pps, up0 rx {:.0} pps, pod rx {:.0} pps, napi {:.2} cores", (lab.forwarded()?-before) as f64/el, (rx(&lab.layout().node,"up0")?-r0)/el, (rx(&lab.layout().pods[0],"eth0")?-p0)/el, (ticks()-n0)/100.0/el);
    show(k,cpu(),el); let f=c.close_window()?;
    let sent = running.stop()?;
    eprintln!("flood {kind} {:.0} pps sent {} forwarded {} ({:?}) dns answered {}", sent.pps(), sent.frames, lab.forwarded()?, lab.forwarded()?-before, servers.names_answered());
    if let Some((s,_)) = &guard { eprintln!("stand-in {:?}", s.counts()?); }
    eprintln!("{}", tool::run("ip", &["netns","exec", lab.layout().pods[0].name(), "nstat","-asz"])?.lines().filter(|l| ["TcpExtListen","SyncookiesSent","SyncookiesFailed","TcpPassive","InErrors","UdpInDatagrams","IcmpInEchos","TCPReqQFull","ReasmReqds","UdpRcvbuf"].iter().any(|k| l.contains(k))).collect::<Vec<_>>().join("\n"));
    println!("{kind} {pps} {protect}: ratio {:.3} http {}/{} p99 {:.1} {:?} dns {}/{} {:?}", f.goodput/bare, f.pages.answered, f.pages.asked, f.pages.p99_ms, f.pages.failures, f.names.answered, f.names.asked, f.names.failures);
    c.stop()?; drop(servers); drop(guard);
    lab.down()
}

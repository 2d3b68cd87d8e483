//! scratch
use std::time::Instant;
use weir_lab::*;
use weir_datapath::traffic::*;
fn main() -> anyhow::Result<()> {
    let lab = lab::Lab::up(topology::Shape::default(), "chunk")?;
    let ns=lab.layout().attackers.clone(); let name=lab.layout().attack_interface.clone();
    let drop_at_up0 = lab.layout().node.within(|| { let mut s=Bare::load()?; let a=s.attach(&LabInterface::open("up0")?)?; Ok((s,a)) })?;
    ns.within(|| { 
        cpu::tie(None,&[0])?;
        let mut g=Generator::load(&LabInterface::open(&name)?, 1)?;
        let f=Frame { from_mac: plan::ROUTER_MAC, to_mac: plan::NODE_MAC, source: Source::any_v4(), destination: plan::pod_v4(0).into(), hops: 40..=60, protocol: Protocol::Tcp{from:Ports::EPHEMERAL,to:Ports::one(80),flags:2,options:vec![]}, payload: Payload::none() };
        let p=g.prepare(&f,0)?;
        for n in [4u32,8,16,32,64,256,1024,4096,65536,1000000] { let reps=if n>10000 {3} else {50}; let t=Instant::now(); let mut worst=0f64; for _ in 0..reps { let u=Instant::now(); g.send(&p,n)?; worst=worst.max(u.elapsed().as_secs_f64()); } let e=t.elapsed().as_secs_f64()/reps as f64; println!("{n}: {:.1} us a run, worst {:.1} us, {:.2} Mpps", e*1e6, worst*1e6, n as f64/e/1e6); }
        println!("sent {}", g.sent(0)?);
        Ok(())
    })?;
    println!("dropped {:?}", drop_at_up0.0.tally()?);
    lab.down()
}

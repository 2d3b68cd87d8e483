//! The kernel program's arithmetic, repeated on the host for the smallest draw, against checksums computed afresh.

use super::*;

const TO4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 1, 10));
const TO6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 0x10));

fn frame(source: Source, destination: IpAddr, protocol: Protocol, zeros: RangeInclusive<u16>) -> Frame {
    let payload = Payload { bytes: vec![1, 2, 3], zeros };
    let (from_mac, to_mac) = ([2; 6], [4; 6]);
    Frame { from_mac, to_mac, source, destination, destinations: 1, df: false, hops: 32..=128, protocol, payload }
}

/// What `generate` makes of the template when every draw is the smallest and `cut` bytes go.
fn smallest(template: &Template, cut: u16) -> Vec<u8> {
    let Template { bytes, plan } = template;
    let mut bytes = bytes[..bytes.len() - usize::from(cut)].to_vec();
    let mut put = |at: u16, value: u16| {
        let at = usize::from(at);
        bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    };
    put(plan.ip_len_at, plan.ip_len - cut);
    if plan.udp_len_at != 0 {
        put(plan.udp_len_at, plan.udp_len - cut);
    }
    let less = u32::from(0xffff - cut);
    let mut sums =
        [plan.ip_sum + less * u32::from(plan.trim_ip_sum), plan.l4_sum + less * u32::from(plan.trim_l4_sums)];
    for field in &plan.fields[..plan.fields_used as usize] {
        let mut all = [0; 4];
        all[4 - usize::from(field.width)..].copy_from_slice(&field.base.to_be_bytes()[4 - usize::from(field.width)..]);
        if field.width == 1 && field.offset % 2 == 0 {
            all = [0, 0, all[3], 0];
        }
        for (sum, bit) in sums.iter_mut().zip([SUM_IP, SUM_L4]) {
            if field.sums & bit != 0 {
                *sum = internet::add(*sum, &all);
            }
        }
    }
    for (at, sum) in [plan.ip_sum_at, plan.l4_sum_at].into_iter().zip(sums) {
        if at != 0 {
            put(at, !(internet::fold(sum) as u16));
        }
    }
    bytes
}

/// A correct checksum makes the sum over everything it covers 0xffff.
fn check(frame: &Frame, cut: u16) {
    let bytes = smallest(&frame.template().expect("a frame"), cut);
    let v4 = frame.destination.is_ipv4();
    let (addresses, l4) = if v4 { (26..34, 34) } else { (22..54, 54) };
    let end = if v4 { 14 + be(&bytes, 16) } else { 54 + be(&bytes, 18) };
    if v4 {
        assert_eq!(internet::add(0, &bytes[14..34]), 0xffff, "IPv4 header of {frame:?}");
    }
    let next = if v4 { bytes[23] } else { bytes[20] };
    let mut sum = internet::add(0, &bytes[l4..end]);
    if next != 1 {
        sum = internet::add(sum, &bytes[addresses]);
        sum = internet::fold(sum + u32::from(next) + (end - l4) as u32);
    }
    assert_eq!(sum, 0xffff, "transport checksum of {frame:?}");
    if next == 17 {
        assert_eq!(be(&bytes, l4 + 4), end - l4, "UDP length");
    }
}

fn be(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

#[test]
fn checksums_are_right() {
    let tcp = Protocol::Tcp { from: Ports::EPHEMERAL, to: Ports::one(80), flags: 2, options: vec![2, 4, 5, 180] };
    let ack = Protocol::Tcp { from: Ports::EPHEMERAL, to: Ports::one(80), flags: 16, options: vec![] };
    let udp = Protocol::Udp { from: Ports::one(53), to: Ports { first: 1, count: 65535 } };
    for protocol in [tcp, ack, udp, Protocol::Echo] {
        for cut in [0, 1, 17, 30] {
            check(&frame(Source::any_v4(), TO4, protocol.clone(), 10..=40), cut);
            check(&frame(Source::any_v6(), TO6, protocol.clone(), 10..=40), cut);
            check(&frame(Source::one("198.51.100.7".parse().unwrap()), TO4, protocol.clone(), 10..=40), cut);
            check(&frame(Source::one("2001:db8::7".parse().unwrap()), TO6, protocol.clone(), 10..=40), cut);
        }
    }
}

#[test]
fn a_carpet_of_victims_is_drawn_from_and_summed_up() {
    for (source, to, at) in [(Source::any_v4(), TO4, 30), (Source::any_v6(), TO6, 50)] {
        for protocol in [Protocol::Udp { from: Ports::one(53), to: Ports::one(53) }, Protocol::Echo] {
            let carpet = Frame { destinations: 32, df: true, ..frame(source.clone(), to, protocol, 0..=9) };
            check(&carpet, 3);
            let plan = carpet.template().unwrap().plan;
            let drawn = plan.fields[..plan.fields_used as usize].iter().find(|field| field.offset == at).unwrap();
            assert_eq!((drawn.width, drawn.span, drawn.base & 0xff), (4, 32, if at == 30 { 10 } else { 0x10 }));
        }
    }
    let udp = Protocol::Udp { from: Ports::one(53), to: Ports::one(53) };
    let refused = |destinations| {
        Frame { destinations, ..frame(Source::any_v4(), TO4, udp.clone(), 0..=0) }.template().unwrap_err()
    };
    assert_eq!(refused(0), FrameError::Empty("the destination"));
    assert_eq!(refused(u32::MAX), FrameError::Beyond("the destination"));
}

#[test]
fn fragments_say_what_they_are() {
    let first = frame(Source::any_v4(), TO4, Protocol::Fragment { first_to: Some(53) }, 37..=37).template().unwrap();
    assert_eq!(be(&first.bytes, 20), 0x2000);
    assert_eq!(be(&first.bytes, 16), 20 + 8 + 40);
    let whole = Frame { df: true, ..frame(Source::any_v4(), TO4, Protocol::Echo, 0..=0) }.template().unwrap();
    assert_eq!(be(&whole.bytes, 20), 0x4000, "don't fragment");
    let later = frame(Source::any_v6(), TO6, Protocol::Fragment { first_to: None }, 37..=37).template().unwrap();
    assert_eq!((later.bytes[20], later.bytes[54]), (44, 17));
    assert_eq!(be(&later.bytes, 18), 8 + 40);
    assert_eq!(be(&later.bytes, 56) & 7, 1, "more fragments, and nothing in the reserved bits");
}

#[test]
fn nonsense_is_refused() {
    let udp = |first, count| Protocol::Udp { from: Ports { first, count }, to: Ports::one(53) };
    let refused = |frame: Frame| frame.template().map(|_| ()).unwrap_err();
    let any = || Source::any_v4();
    assert_eq!(refused(frame(any(), TO6, udp(1, 1), 0..=0)), FrameError::MixedVersions);
    assert_eq!(refused(frame(any(), TO4, udp(1, 0), 0..=0)), FrameError::Empty("the source port"));
    assert_eq!(refused(frame(any(), TO4, udp(2, 65535), 0..=0)), FrameError::Beyond("the source port"));
    assert_eq!(refused(frame(any(), TO4, udp(1, 1), 0..=1500)), FrameError::TooLong(42 + 3 + 1500));
    let options = Protocol::Tcp { from: Ports::one(1), to: Ports::one(2), flags: 2, options: vec![1; 3] };
    assert_eq!(refused(frame(any(), TO4, options, 0..=0)), FrameError::Options(3));
}

//! Addresses that no server has which a stranger may name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is, with its article, where it is one that leads to this machine, to the node or to the cloud
/// below it. Private networks (RFC 1918, unique local) are not special: registries of clusters are there.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

const METADATA: &str = "the address of a cloud's metadata";

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "the address of no host",
        [127, ..] => "a loopback address",
        [169, 254, ..] => "a link-local address, where clouds keep their metadata",
        // Alibaba Cloud; Azure; Oracle Cloud.
        [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => METADATA,
        [224..=239, ..] => "a multicast address",
        [255, 255, 255, 255] => "the address of all hosts",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(kind) = embedded(address).and_then(special_v4) {
        return Some(kind);
    }
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "the address of no host",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [first, ..] if first & 0xffc0 == 0xfe80 => "a link-local address",
        [first, ..] if first & 0xffc0 == 0xfec0 => "a site-local address, which is no longer used",
        [first, ..] if first & 0xff00 == 0xff00 => "a multicast address",
        // Amazon; Google.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => METADATA,
        _ => return None,
    })
}

/// The IPv4 address that an IPv6 address stands for, by one of the ways from the one network into the other.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::1` and `::` are addresses of IPv6 itself.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped (RFC 4291, 2.5.5.2), compatible (2.5.5.1), translated (RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        // NAT64 (RFC 6052, RFC 8215).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(v4(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // Teredo (RFC 4380): its bits turned over.
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_this_machine_its_node_or_its_cloud_is_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::169.254.169.254",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
        ] {
            assert!(special(text.parse().unwrap()).is_some(), "{text} may be asked");
        }
    }

    #[test]
    fn servers_of_the_internet_and_of_private_networks_may_be_asked() {
        for text in [
            "140.82.121.4",
            "10.96.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "192.0.2.10",
            "169.253.255.255",
            "169.255.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "223.255.255.255",
            "2606:50c0:8000::153",
            "fd00::1",
            "fd00:ec2::253",
            "::ffff:10.0.0.1",
            "64:ff9b::140.82.121.4",
            "2002:8c52:7904::1",
        ] {
            assert_eq!(special(text.parse().unwrap()), None, "{text} may not be asked");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_special_in_every_dress_or_in_none(bits in any::<u32>()) {
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            let plain = special_v4(Ipv4Addr::from(bits));
            for dressed in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 1, 2, 3, 4, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !a, !b),
            ] {
                prop_assert_eq!(special_v6(dressed), plain, "{}", dressed);
            }
        }
    }
}

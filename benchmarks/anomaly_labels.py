"""What people would call unusual in the hourly series of the Numenta Anomaly Benchmark: our own labels.

Set by eye, by the authors, on charts of the hours that showed a first version of the detector's band as well, before its
constants were tuned: (first, last) hour, counted from the first value of the series. Where a series repeats the same burst
every few days, no burst is labelled.
"""

from __future__ import annotations

LABELS: dict[str, tuple[tuple[int, int], ...]] = {
    "realAWSCloudwatch/ec2_cpu_utilization_24ae8d": ((296, 297), (315, 316)),
    "realAWSCloudwatch/ec2_cpu_utilization_53ea38": ((126, 127), (222, 225)),
    "realAWSCloudwatch/ec2_cpu_utilization_5f5533": ((105, 125), (243, 250)),
    "realAWSCloudwatch/ec2_cpu_utilization_77c1ca": ((220, 221), (229, 268)),
    "realAWSCloudwatch/ec2_cpu_utilization_825cc2": ((145, 160),),
    "realAWSCloudwatch/ec2_cpu_utilization_ac20cd": ((31, 52), (296, 300)),
    "realAWSCloudwatch/ec2_cpu_utilization_c6585a": (),
    "realAWSCloudwatch/ec2_cpu_utilization_fe7f93": ((64, 67), (176, 179), (180, 240)),
    "realAWSCloudwatch/ec2_disk_write_bytes_1ef3de": ((183, 191), (316, 321)),
    "realAWSCloudwatch/ec2_disk_write_bytes_c0d644": ((219, 221), (229, 268)),
    "realAWSCloudwatch/ec2_network_in_257a54": ((135, 141),),
    "realAWSCloudwatch/ec2_network_in_5abac7": ((216, 219),),
    "realAWSCloudwatch/elb_request_count_8c0756": ((73, 75), (306, 309)),
    "realAWSCloudwatch/grok_asg_anomaly": ((311, 315),),
    "realAWSCloudwatch/iio_us-east-1_i-a2eb1cd9_NetworkIn": ((0, 3), (16, 20)),
    "realAWSCloudwatch/rds_cpu_utilization_cc0c53": ((255, 258),),
    "realAWSCloudwatch/rds_cpu_utilization_e47b3b": ((77, 80), (213, 217), (298, 301)),
    "realAdExchange/exchange-2_cpc_results": (),
    "realAdExchange/exchange-2_cpm_results": ((977, 980),),
    "realAdExchange/exchange-3_cpc_results": ((20, 30), (183, 188), (320, 324), (463, 467), (1035, 1048), (1192, 1197)),
    "realAdExchange/exchange-3_cpm_results": ((18, 26), (183, 188), (1040, 1046), (1192, 1197)),
    "realAdExchange/exchange-4_cpc_results": (
        (366, 380), (514, 524), (1276, 1280), (1293, 1297), (1376, 1382), (1402, 1408), (1480, 1488), (1566, 1572),
    ),
    "realAdExchange/exchange-4_cpm_results": (
        (238, 242), (366, 380), (514, 524), (1276, 1280), (1293, 1297), (1376, 1382), (1402, 1408), (1480, 1488),
        (1566, 1572),
    ),
    "realKnownCause/ambient_temperature_system_failure": ((4100, 4170), (6740, 6860)),
    "realKnownCause/cpu_utilization_asg_misconfiguration": (
        (234, 238), (663, 668), (688, 692), (742, 748), (758, 766), (1412, 1420), (1478, 1490),
    ),
    "realKnownCause/ec2_request_latency_system_failure": ((282, 286), (332, 337)),
    "realKnownCause/machine_temperature_system_failure": ((140, 200), (320, 345), (1480, 1510), (1590, 1660)),
    "realKnownCause/nyc_taxi": (
        (72, 96), (1480, 1512), (2970, 2982), (3570, 3600), (4230, 4290), (4404, 4428), (5020, 5080),
    ),
    "realKnownCause/rogue_agent_key_hold": ((48, 50), (116, 118), (256, 258)),
    "realKnownCause/rogue_agent_key_updown": ((95, 100), (208, 213), (364, 372), (428, 432)),
    "realTweets/Twitter_volume_AAPL": ((117, 124), (255, 275), (410, 414), (770, 775), (1116, 1130), (1290, 1294)),
    "realTweets/Twitter_volume_AMZN": ((115, 119), (165, 170), (296, 300), (310, 313), (965, 970)),
    "realTweets/Twitter_volume_CRM": ((260, 268), (504, 507), (664, 680), (996, 1002)),
    "realTweets/Twitter_volume_CVS": ((164, 168), (507, 510), (663, 668), (1126, 1132)),
    "realTweets/Twitter_volume_FB": ((20, 32), (643, 647), (859, 862), (1310, 1322)),
    "realTweets/Twitter_volume_GOOG": ((358, 361), (378, 381), (703, 706), (796, 818)),
    "realTweets/Twitter_volume_IBM": ((780, 788), (1187, 1192), (1268, 1272), (1285, 1290)),
    "realTweets/Twitter_volume_KO": ((50, 53), (518, 523), (786, 790), (983, 988), (1120, 1124)),
    "realTweets/Twitter_volume_PFE": ((0, 2), (138, 144), (357, 362), (590, 597), (1142, 1146)),
    "realTweets/Twitter_volume_UPS": ((133, 136), (195, 198)),
}  # fmt: skip

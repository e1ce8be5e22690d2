import json

lines=open("/work/gen/out/base--instruct--alpha0.7/samples_mbppplus_passk_2026-11-28T19-05-21.216544.jsonl").read().splitlines()[::3]
out=open("/tmp/hmB/samples_mbppplus_passk_sub.jsonl","w")
n=0
for l in lines:
    r=json.loads(l)
    r["filtered_resps"][0]=r["filtered_resps"][0][:4]
    n+=4
    out.write(json.dumps(r)+"\n")
print(len(lines),n)

/* koi's lease, rules L1 to L11, as a model for Spin. tools/model-check runs it.
 *
 * WHAT IS IN IT: BOXES boxes share one address (box 0 is the best, the last one the worst); each has a control thread
 * and WORKERS workers, of which the first transmits and the last receives the advertisements; an advertisement is one
 * frame in each of FAMILIES families. The steps of Worker and Control are those of dataplane/worker.cpp and lease.cpp,
 * and of controlplane/loop.cpp; the election is controlplane/election/step.cpp's, dialect koi.
 * PAUSES: a thread in time makes its turn in one step, and the clock (Env) waits until none of them has anything left to
 * do. A thread that is late goes step by step, paused between any two for as long as it likes. `pauses` times a thread
 * may begin to be late. A kill is a pause for ever.
 * TIME: a tick is the lease's tolerance, 1 ms. Deadlines are countdowns and stamps are ages, both moved by the tick:
 * there is no absolute time, so that the states are finitely many.
 * DRIVER AND WIRE: the driver of the box `dumb` may begin to refuse frames at any time and end that at any time. With
 * `apart`, for two boxes, the wire carries nothing until any time: only who could not hear each other are both MASTER.
 * POLLS that share a judgement (kJudgedFor) are one long poll here.
 * TERMS are only compared for equality: a new term is the lowest number that nobody holds.
 *
 * WHAT IS NOT: clocks that drift (what L5's guard is for); the order of loads within one judgement, and memory order; a
 * pause between the last look at the clock and the driver; more than one slot, balancing, ties, demotion, dialects
 * other than koi, equal boxes (C8.4, C8.5), preempt-delay, unicast; several advertisements in one burst (they come in
 * one poll each); announcements (they leave under L1, as answers do); IPv4 and IPv6 told apart at the receiver (either
 * re-arms; C7.6 makes of both timers the later one); shorter lease by a peer's advbase (L5); frames that overtake each
 * other, come twice or are replayed. What the driver refuses, the worker holds and tries again for 1 ms, the views
 * behind it; here it is reported at once, and control tries again in the next tick, not after 200 us. Send errors demote
 * nobody. A frame or view in the down ring, which is never full, is replaced by a newer one; the worker would take both
 * in one turn. With two workers, one alone gets advertisements and another one alone sends them. Lost advertisements:
 * only by a full queue or ring, with `apart`, or towards the box `deaf`, which by C17 does not rise by itself and here
 * asks nobody. drain.h also counts what was taken from a queue that is never found empty.
 *
 * PROPERTIES, by the compiler's -D:
 *  STRICT  two boxes' answers never overlap for more than the wire's delay plus 1 ms; with `deaf`, where the lease alone
 *          guards, not at all.
 *          With `apart`, once an advertisement has got through, for no more than the wire's delay plus 1 ms, or 3 ms if
 *          that was the worse box's (C11.16); who was silent for more than 1 ms begins anew, as in tests/sim/oracle.cpp.
 *  LIVE    later than BOUND ticks after the faults stopped, which may be at any time, exactly one box answers in
 *          each tick.
 *
 * EACH RULE TAKEN AWAY gives a violation (tools/model-check), but for these:
 *  L1_FAMILY  a koi peer's timer counts from the last advertisement of either family (C7.6), so that one family's
 *             deadline is enough; beside others (C7.5), which are not in the model, it is not.
 *  L4_TERM    L1 also looks at the term; what a late frame does to the switches' tables is not in the model.
 *  L5         without guard alone nothing falls, for clocks do not drift here; a lease one tick too long falls.
 *  L6_DATE    an advertisement that came between the inputs and the promotion has been stamped (L7).
 *  L7_ROLE    a MASTER answers a worse advertisement with its own at once, which finds a stamping worker; without that
 *             (M_REPLY) it falls.
 *  L9         who rose over the head of an advertisement is silenced by L7 and L8. What it spares the others is the
 *             needless advertisement. None found without it within the time of --full.
 * L2_FIRST falls only with a lost frame and two pauses, for control acknowledges a claim at the end of its turn, but a
 * gap when it reads of it; L2_FIRST and L7_DECIDED together fall sooner.
 *
 * HOW FAR: the searches are breadth-first and keep no state but some bits of its hash: nothing is wrong above the depth
 * that they print, unless behind one of the few states that were taken for others. The rules taken away fall between 50
 * and 300 steps down, most at about 100. With all rules and 15 s for each (--full --seconds 15) no violation was found
 * within: two boxes 136 steps and more, but for two pauses 96 and `apart` with pauses and refusals 88 to 108 (121 in
 * 105 s, two boxes with one worker and family); two workers 151 and more, two pauses 100; two families 127, both 141;
 * three boxes 104; three boxes, two workers, two families 98 (103 in 60 s), which is no deeper than where rules fall.
 * Searched to the end: `deaf`, `live-alone`, `apart-in-time`.
 */
#ifndef BOXES
#define BOXES 2
#endif
#ifndef WORKERS
#define WORKERS 1
#endif
#ifndef FAMILIES
#define FAMILIES 1
#endif
#ifndef WIRE
#define WIRE 0                   /* 1: an advertisement arrives in the tick in which it is sent or in the next */
#endif
#ifndef BOUND
#define BOUND 12
#endif
#ifndef QUEUE
#define QUEUE (BOXES*FAMILIES)   /* room of a NIC queue and of an up ring */
#endif
#define ALL_WORKERS (BOXES*WORKERS)
#define THREADS (WORKERS+1)      /* per box, control is the last */

/* What may differ from run to run without another compilation: NAME=VALUE in pan's environment. */
c_decl {
	static int setting(const char *name, int otherwise) { const char *s = getenv(name); return s ? (int)strtoul(s, 0, 10) : otherwise; }
}
int removed;              /* bits: the rules left out, see below */
byte pauses;              /* how often a thread may begin to be late */
byte handovers;           /* how often a master may be told to hand over */
byte preempt;             /* 1: a better box takes over from a worse one */
byte first;               /* the box that is a settled master at the start, NONE: all BACKUP */
byte soon;                /* 1: their timers end in the first tick, all together */
byte clutter;             /* bursts of other frames that may stand in a late worker's queue before the advertisements */
byte flood;               /* 1: the queue of a worker that has not polled for more than 1 ms is full */
byte deaf, dead;          /* the box that hears nothing, the box that never runs; NONE: none */
byte dumb;                /* the box whose driver may refuse frames for a while, once; NONE: none */
byte apart;               /* 1: from the start until any time the wire carries nothing, for two boxes */

/* The mutants: each takes one rule, or one part of it, away. */
#define R(n) ((removed >> n) & 1)
#define M_L1_TERM R(0)           /* the board's term is not looked at, nor whose the deadline is */
#define M_L1_HEARD R(1)          /* an unacknowledged claim does not silence */
#define M_L1_DEADLINE R(2)       /* an answer needs no deadline */
#define M_L1_POLL R(3)           /* neither one's own polls nor the other receivers' must be fresh */
#define M_L1_LATE R(4)           /* what was allowed at the poll may be sent at any time */
#define M_L1_TAKEN R(25)         /* of another receiver its last poll counts, though not all of before is stamped yet */
#define M_L1_FAMILY R(5)         /* the first family's deadline is enough */
#define M_L2_NEW R(6)            /* each reign has the same term */
#define M_L2_FIRST R(7)          /* the board's term is written after the view was pushed */
#define M_L3 R(8)                /* the lease counts from the moment after the transmission */
#define M_L4_TERM R(9)           /* a frame leaves whatever the term */
#define M_L4_TIME R(10)          /* a frame leaves however late */
#define M_L5 R(11)               /* no guard, and a lease one tick too long */
#define M_L6_EXPIRY R(12)        /* a MASTER whose lease is over stays MASTER */
#define M_L6_DATE R(13)          /* a promotion is dated after the inputs were read */
#define M_L7 R(14)               /* nothing is stamped */
#define M_L7_ROLE R(15)          /* only a MASTER's worker stamps */
#define M_L7_SINCE R(16)         /* the stamp is of now, not of the poll as of which all was stamped */
#define M_L7_DRAINED R(27)       /* all that came before the previous poll counts as stamped, though that left frames in the queue */
#define M_L8 R(17)               /* a gap silences nobody */
#define M_L8_ACK R(18)           /* after a gap one does not wait for control */
#define M_L8_OTHER R(19)         /* another worker's gap does not count */
#define M_L8_LOST R(20)          /* lost frames do not count */
#define M_L9 R(21)               /* a promotion does not wait until all have listened */
#define M_L9_SINCE R(22)         /* any emptied queue will do, also one from before it was due */
#define M_L10 R(23)              /* the bow-out goes first */
#define M_L11 R(24)              /* a reign begins with a lease */

#define M_L3_TAKEN R(29)         /* the lease counts though the driver refused the frame */
#define M_L7_REPLY R(28)         /* a MASTER acknowledges a worse claim when its reply is queued */
#define M_L7_DECIDED R(30)       /* a claim is acknowledged when it is decided on, before anything follows from it */

#define M_BETTER R(31)           /* C8.14: a third box rises over a worse master though a better one was heard */
#define M_REPLY R(26)            /* a MASTER does not answer a worse advertisement with its own at once */

#define NONE 15
#define TOLERANCE 1
#define REPLY 3                  /* C11.16: to a worse box's advertisement, or silence */
#define GUARD 1
#define INTERVAL 2               /* between two advertisements */
#define MASTER_DOWN(b) (6+(b))
#define LEASE (M_L5 -> 7 : 6-GUARD)
#define HELD (LEASE+TOLERANCE)   /* a deadline is kept with the tolerance added: lp later it can be judged as of the poll */
#define BACKUP 0
#define MASTER 1
#define ADVERT 16                /* a message is its kind plus its sender */
#define BOW_OUT 32
#define OTHER 64                 /* not an advertisement */
#define is_ad(m) (m && m != OTHER)
#define sender(m) (m & 15)
#define is_bow_out(m) (m & BOW_OUT)
#define dec1(v) v = (v > 0 -> v-1 : 0)
#define inc(v,m) v = (v < m -> v+1 : m)
#define max(x,y) ((x) > (y) -> (x) : (y))
#define min(x,y) ((x) < (y) -> (x) : (y))

/* Indices: b a box, g a worker of all, g/WORKERS its box; b*FAMILIES+f a family of a box. */
#define box(g) ((g)/WORKERS)
#define transmits(g) ((g) % WORKERS == 0)
#define receives(g) ((g) % WORKERS == WORKERS-1)
#define first_worker(b) ((b)*WORKERS)
#define last_worker(b) ((b)*WORKERS+WORKERS-1)

/* ---- the board ---- */
byte term[BOXES];                        /* control writes; 0: not MASTER */
byte dl[BOXES*FAMILIES], dlt[BOXES*FAMILIES];  /* deadline: ticks left, its term; worker writes */
byte hn[BOXES]; bit hd[BOXES];           /* heard by the receiving worker: how many are undecided; decided, not acknowledged */
byte ha[BOXES];                          /* age of the oldest that is not acknowledged */
byte lp[ALL_WORKERS];                    /* age of the last poll's start */
byte da[ALL_WORKERS];                    /* age of the start of the last one that left nothing in the queue */
bit em[ALL_WORKERS];                     /* a poll begun since a promotion fell due has emptied the queue */
bit gp[ALL_WORKERS];                     /* the last gap is not acknowledged */
/* ---- queues, rings, wire ---- */
chan rx[BOXES] = [QUEUE] of { byte };    /* NIC queue of the receiving worker */
chan up[BOXES] = [QUEUE] of { byte };    /* its up ring */
bit missed[BOXES], over[BOXES];          /* one was lost: queue full, up ring full */
byte gr[ALL_WORKERS];                    /* gap report in the up ring; 2: there is a newer gap */
bit gl[ALL_WORKERS];                     /* with it: frames were lost */
byte pv[ALL_WORKERS];                    /* newest view not adopted: its term, 0 not MASTER, NONE none */
byte pf[BOXES], pft[BOXES], pfn[BOXES];  /* frames not sent yet: kind, term, ticks to not-after */
byte pff[BOXES];                         /* of them the first family */
byte rf[BOXES];                          /* report that the driver refused an advertisement, in the up ring: its term */
bit refuses, cut;                        /* the driver of `dumb` does; the wire carries nothing */
byte turns;                              /* how often `refuses` may still change */
#if WIRE > 0
chan wire[BOXES] = [QUEUE*2] of { byte };
byte old[BOXES];                         /* how many on it were sent in the tick before */
#endif
/* ---- worker ---- */
byte wv[ALL_WORKERS];                    /* view adopted */
byte pg[ALL_WORKERS];                    /* within a turn: from the poll before to this one */
bit op[ALL_WORKERS], pb[ALL_WORKERS];    /* a poll was made and none since has left nothing; the last one began after the due */
bit hold[ALL_WORKERS], ge[ALL_WORKERS];  /* L8: silent; the queue was empty since */
byte ho[ALL_WORKERS];                    /* within a turn: answers allowed, ticks left to hand them over; 0 none */
byte k[ALL_WORKERS];                     /* within a turn: message in hand */
byte fk[BOXES], ft[BOXES], t0[BOXES];    /* frame in hand: kind, term, lease counted from the look at the clock */
bit fs[BOXES];                           /* that look came after the last reply was decided */
/* ---- control ---- */
bit role[BOXES], sd[BOXES];              /* sd: stepping down, L10 */
bit alone[BOXES];                        /* MASTER that has heard nobody since it rose */
byte myt[BOXES];                         /* term of the reign */
byte mdt[BOXES], adt[BOXES], tk[BOXES];  /* timers: master-down, advertisement, takeover (NONE: not armed) */
byte decn[BOXES];                        /* L4: ticks to 1 ms after the decision */
byte lo[BOXES];                          /* L10: ticks until the lease is over */
byte mast[BOXES];                        /* master last heard */
byte rp[BOXES];                          /* L7: families in which the driver has taken none since the last reply */
byte cage[BOXES];                        /* age of the last turn's start */
bit nv[BOXES], due[BOXES], may[BOXES]; byte fr[BOXES];  /* within a turn: new view, promotion due, frame */
/* ---- scheduling ---- */
byte budget, hands;
bit late[BOXES*THREADS];                 /* the clock does not wait for it */
bit wtop[ALL_WORKERS], wd[ALL_WORKERS], ctop[BOXES], cd[BOXES];  /* between turns; a turn was made in this tick */
/* ---- measuring ---- */
#ifdef LIVE
bit faults = 1; byte calm;
#endif
bit ans[BOXES];
#ifdef STRICT
byte fa[BOXES], la[BOXES];               /* age of the reign's first (NONE: none) and of the box's last answer */
byte thr = NONE; bit thw;                /* with `apart`: age of the first advertisement that got through; the worse box's */
#define LONG (apart -> WIRE+5 : 4)       /* ages up to here are told apart */
#endif

#define w_late(g) late[box(g)*THREADS + (g) % WORKERS]
#define c_late(b) late[(b)*THREADS + WORKERS]

/* ==== L1 ==== */
#define outstanding(b) (hn[b] || hd[b])
/* Since when an advertisement may have been waiting that is not stamped: in this worker, and in another one. */
#define before(g) (pg[g] + lp[g])        /* M_L7_DRAINED */
#define own_since(g) (M_L7_DRAINED -> before(g) : da[g])
#define waits_since(g) (M_L1_TAKEN -> lp[g] : (M_L7_DRAINED -> (wtop[g] -> lp[g] : before(g)) : da[g]))
inline judge(g) {                /* ho[g]: for how many ticks what is allowed now may still be handed to the driver */
	ho[g] = 0;
	if :: wv[g] && (!hold[g] || M_L8) ->
		ho[g] = TOLERANCE+1;
		f = 0;
		do :: f < FAMILIES ->    /* each family's deadline, as of the poll */
			if :: M_L1_DEADLINE || (f && M_L1_FAMILY) || ((dlt[box(g)*FAMILIES+f] == wv[g] || M_L1_TERM) && dl[box(g)*FAMILIES+f] + lp[g] > TOLERANCE) -> skip
			   :: else -> ho[g] = 0 fi; f++
		   :: else -> break od;
		f = first_worker(box(g));
		do :: f <= last_worker(box(g)) ->  /* each receiver, this one included */
			if :: ho[g] && !M_L1_POLL ->
				if :: own_since(g) > TOLERANCE && f == g -> ho[g] = 0
				   :: waits_since(f) > TOLERANCE && f != g -> ho[g] = 0
				   :: else -> ho[g] = min(ho[g], TOLERANCE+1 - (f == g -> own_since(g) : waits_since(f))) fi
			   :: else fi;
			if :: f != g && gp[f] && !M_L8 && !M_L8_OTHER -> ho[g] = 0 :: else fi;
			f++
		   :: else -> break od;
		if :: ho[g] && outstanding(box(g)) && !M_L1_HEARD ->
			if :: ha[box(g)] > TOLERANCE -> ho[g] = 0 :: else -> ho[g] = min(ho[g], TOLERANCE+1 - ha[box(g)]) fi
		   :: else fi;
		if :: term[box(g)] != wv[g] && !M_L1_TERM -> ho[g] = 0 :: else fi
	   :: else fi;
	f = 0
}
inline answer(g) {               /* a burst of answers leaves; the oracle */
	if :: ho[g] ->
		ans[box(g)] = 1;
#ifdef STRICT
		if :: fa[box(g)] == NONE -> fa[box(g)] = 0 :: else fi; la[box(g)] = 0;
		f = 0;
		do :: f < BOXES ->
			if :: f != box(g) && fa[f] != NONE && la[f] < 2 && !apart ->
				assert(min(fa[f], fa[box(g)]) <= WIRE + TOLERANCE + la[f])
			   :: f != box(g) && fa[f] != NONE && la[f] < 2 && apart && thr != NONE ->
				assert(min(thr, min(fa[f], fa[box(g)])) <= WIRE + (thw -> REPLY : TOLERANCE) + la[f])
			   :: else fi;
			if :: f != box(g) && deaf != NONE && fa[f] != NONE -> assert(fa[f] >= fa[box(g)]) :: else fi;
			f++
		   :: else -> break od;
		f = 0;
#endif
		ho[g] = 0
	   :: else fi
}
/* ==== L7, L8, L9: a poll, seen by the worker ==== */
inline begin_poll(g) {
	pg[g] = lp[g]; lp[g] = 0;
	if :: pg[g] > TOLERANCE -> hold[g] = 1; gp[g] = 1; ge[g] = 0; if :: gr[g] -> gr[g] = 2 :: else fi
	   :: else fi;
	if :: hold[g] && ge[g] && (!gp[g] || M_L8_ACK) -> hold[g] = 0 :: else fi;
	op[g] = 1; pb[g] = 1
}
inline stamp(g) {
	if :: M_L7 || (M_L7_ROLE && !wv[g]) -> skip
	   :: else ->
		if :: !outstanding(box(g)) -> ha[box(g)] = (M_L7_SINCE -> 0 : (hold[g] && !ge[g] -> TOLERANCE+1 : min(own_since(g), TOLERANCE+1)))
		   :: else fi;
		hn[box(g)]++ fi
}
inline end_poll(g) {             /* it left nothing: what came before it is in the up ring */
	if :: op[g] && !(receives(g) && over[box(g)]) ->
		da[g] = lp[g]; op[g] = 0; em[g] = em[g] || pb[g]; pb[g] = 0;
		if :: hold[g] && !ge[g] -> ge[g] = 1; gr[g] = 1;
			if :: receives(g) -> gl[g] = gl[g] || missed[box(g)]; missed[box(g)] = 0 :: else fi
		   :: else fi
	   :: else fi
}
#define flooded(b) (flood && lp[last_worker(b)] > TOLERANCE)
inline send(b, m) {              /* the driver has it */
#ifdef STRICT
	if :: apart && !cut && thr == NONE && !is_bow_out(m) -> thr = 0; thw = (b > 0) :: else fi;
#endif
	f = 0;
	do :: f < BOXES ->
		if :: f == b || f == deaf || f == dead || cut -> skip
#if WIRE > 0
		   :: else -> wire[f]!m
#else
		   :: else -> if :: nfull(rx[f]) && !flooded(f) -> rx[f]!m :: full(rx[f]) || flooded(f) -> missed[f] = 1 fi
#endif
		fi; f++
	   :: else -> break od; f = 0
}

#define frames_wait(g) (transmits(g) && pf[box(g)])
#define w_inputs(g) ((receives(g) && len(rx[box(g)])) || op[g] || !em[g] || pv[g] != NONE || frames_wait(g) || \
	(hold[g] && ge[g] && (!gp[g] || M_L8_ACK)))
/* A poll that would change nothing is not made. */
#define w_work(g) (w_inputs(g) || lp[g] || !wd[g] || (wv[g] && !ans[box(g)]))
#define w_quiet(g) (wtop[g] && wd[g] && !w_inputs(g))

/* ==== the worker's steps, in the order of dataplane/worker.cpp ==== */
inline w_poll(g) {
	wtop[g] = 0; begin_poll(g);
	if :: !k[g] && receives(g) && nempty(rx[box(g)]) -> rx[box(g)]?k[g]
	   :: k[g] || !receives(g) || empty(rx[box(g)]) -> skip fi
}
inline w_judge(g) {              /* L7: the message was stamped before it is queued */
	if :: is_ad(k[g]) && nfull(up[box(g)]) && !over[box(g)] -> up[box(g)]!k[g]
	   :: is_ad(k[g]) && (full(up[box(g)]) || over[box(g)]) -> over[box(g)] = 1
	   :: !is_ad(k[g]) -> skip fi;
	judge(g)
}
#define left_nothing(g) (!k[g] || (is_ad(k[g]) && len(rx[box(g)]) == 0))
inline w_answer(g) { answer(g); if :: left_nothing(g) -> end_poll(g) :: else fi; k[g] = 0 }
inline w_adopt(g) { wv[g] = pv[g]; pv[g] = NONE }
inline w_take_frame(g) {         /* L4; L3: the clock is read here */
	n = pff[box(g)]; fs[box(g)] = 1; fk[box(g)] = pf[box(g)]; ft[box(g)] = pft[box(g)]; t0[box(g)] = HELD;
	if :: (ft[box(g)] != term[box(g)] && !M_L4_TERM) || (pfn[box(g)] == 0 && !M_L4_TIME) -> fk[box(g)] = 0 :: else fi;
	pff[box(g)]++;
	if :: pff[box(g)] == FAMILIES -> pf[box(g)] = 0; pff[box(g)] = 0; pft[box(g)] = 0; pfn[box(g)] = 0 :: else fi
}
inline w_send_frame(g) {         /* L3: a refusal goes up */
	if :: fk[box(g)] && refuses && dumb == box(g) ->
		if :: fk[box(g)] == ADVERT -> rf[box(g)] = ft[box(g)] :: else fi;
		if :: !M_L3_TAKEN -> fk[box(g)] = 0 :: else fi
	   :: fk[box(g)] && !(refuses && dumb == box(g)) -> send(box(g), fk[box(g)] + box(g))
	   :: else fi
}
inline w_store_deadline(g) {     /* L3: the driver has taken it; a bow-out moves no deadline */
	if :: M_L3 -> t0[box(g)] = HELD :: else fi;
	if :: fk[box(g)] == ADVERT ->
		dl[box(g)*FAMILIES+n] = t0[box(g)]; dlt[box(g)*FAMILIES+n] = ft[box(g)];
		if :: fs[box(g)] && ft[box(g)] == myt[box(g)] -> rp[box(g)] = rp[box(g)] & ~(1 << n) :: else fi
	   :: else fi;
	fk[box(g)] = 0; ft[box(g)] = 0; t0[box(g)] = 0; fs[box(g)] = 0; n = 0
}
inline w_rest(g) { pg[g] = 0; wtop[g] = 1; wd[g] = 1 }
inline frame_in_time(g) {
	if :: frames_wait(g) -> w_take_frame(g); w_send_frame(g); w_store_deadline(g) :: else fi
}
inline frame_in_steps(g) {
	if :: frames_wait(g) ->
		d_step { w_take_frame(g) }
		if :: fk[box(g)] -> d_step { w_send_frame(g) } :: else fi;
		d_step { w_store_deadline(g) }
	   :: else fi
}

proctype Worker(byte g) {
	byte f, n;
	do
	:: d_step { (wtop[g] && w_work(g) && !w_late(g)) ->
		w_poll(g); if :: k[g] -> stamp(g) :: else fi; w_judge(g); w_answer(g);
		if :: pv[g] != NONE -> w_adopt(g) :: else fi;
		frame_in_time(g);
#if FAMILIES > 1
		frame_in_time(g);
#endif
		w_rest(g) }
	:: atomic { (w_work(g) && w_late(g)) ->
		if :: receives(g) && nempty(rx[box(g)]) && clutter -> clutter--; k[g] = OTHER :: true fi;
		d_step { w_poll(g) } }
		if :: is_ad(k[g]) -> d_step { stamp(g) } :: else fi;
		d_step { w_judge(g) }
		d_step { w_answer(g) }
		if :: pv[g] != NONE -> d_step { w_adopt(g) } :: else fi;
		frame_in_steps(g);
#if FAMILIES > 1
		frame_in_steps(g);
#endif
		d_step { w_rest(g) }
	od
}

/* ==== control ==== */
inline family_left(v, b, f) {    /* v: ticks to the deadline, until one is stored to 1 ms after the decision */
	v = (dlt[(b)*FAMILIES+f] == myt[b] -> (dl[(b)*FAMILIES+f] > TOLERANCE -> dl[(b)*FAMILIES+f] - TOLERANCE : 0) : decn[b])
}
inline lease_left(v, b) {
	family_left(v, b, 0);
#if FAMILIES > 1
	family_left(x, b, 1); v = min(v, x); x = 0
#endif
}
#define dl_over(b,f) (dlt[(b)*FAMILIES+f] == myt[b] -> dl[(b)*FAMILIES+f] <= TOLERANCE : decn[b] == 0)
#if FAMILIES > 1
#define lease_over(b) (dl_over(b,0) || dl_over(b,1))
#else
#define lease_over(b) dl_over(b,0)
#endif
#if FAMILIES > 1
#define unearned(b) (dlt[(b)*FAMILIES] != myt[b] || dlt[(b)*FAMILIES+1] != myt[b])
#else
#define unearned(b) (dlt[b] != myt[b])
#endif
#define expired(b) (role[b] == MASTER && lease_over(b) && !M_L6_EXPIRY)
#if WORKERS > 1
#define all_listened(b) (em[(b)*WORKERS] && em[(b)*WORKERS+1])
#define all_silent(b) (!wv[(b)*WORKERS] && pv[(b)*WORKERS] == NONE && !wv[(b)*WORKERS+1] && pv[(b)*WORKERS+1] == NONE)
#define gap_reports(b) (gr[(b)*WORKERS] || gr[(b)*WORKERS+1])
#else
#define all_listened(b) em[b]
#define all_silent(b) (!wv[b] && pv[b] == NONE)
#define gap_reports(b) gr[b]
#endif
#define promotion_due(b) (role[b] == BACKUP && (mdt[b] == 0 || tk[b] == 0) && (all_listened(b) || M_L9) && b != deaf)
#define awaits_reply(b) (rp[b] && role[b] == MASTER)     /* L7 */
#define timers_due(b) (promotion_due(b) || (role[b] == MASTER && adt[b] == 0) || (sd[b] && (all_silent(b) || lo[b] == 0)) || expired(b))

inline falls_due(b) {            /* L9: from now on they must listen */
	x = first_worker(b);
	do :: x <= last_worker(b) && !M_L9_SINCE -> em[x] = 0; pb[x] = 0; x++ :: else -> break od; x = 0
}
inline rearm(b) { mdt[b] = MASTER_DOWN(b); tk[b] = NONE; due[b] = 0 }
inline to_backup(b) {            /* L2: the term goes first */
	lease_left(lo[b], b);
	role[b] = BACKUP; myt[b] = 0; nv[b] = 1; fr[b] = 0; adt[b] = 0; decn[b] = 0; alone[b] = 0; rearm(b);
	if :: !M_L2_FIRST -> term[b] = 0 :: else fi;
	if :: !sd[b] -> lo[b] = 0 :: else fi
}
inline held_by_worker(x, g) { if :: x == pv[g] || x == wv[g] -> y = 1 :: else fi }
inline promote(b) {              /* L2, L11 */
	x = 0; y = 1;
	do :: y -> x++; y = 0;
		if :: !M_L2_NEW ->
			if :: x == term[b] || (pf[b] && x == pft[b]) || (fk[b] && x == ft[b]) || x == rf[b] || x == dlt[b*FAMILIES] || x == dlt[b*FAMILIES+FAMILIES-1] -> y = 1 :: else fi;
			held_by_worker(x, first_worker(b)); held_by_worker(x, last_worker(b))
		   :: else fi
	   :: else -> break od;
	role[b] = MASTER; myt[b] = x; nv[b] = 1; fr[b] = ADVERT; adt[b] = INTERVAL; mdt[b] = 0; tk[b] = NONE; sd[b] = 0; lo[b] = 0;
	mast[b] = NONE; due[b] = 0; alone[b] = 1;
	if :: !M_L2_FIRST -> term[b] = x :: else fi;
	if :: M_L6_DATE -> decn[b] = TOLERANCE+1 :: else fi;
	if :: M_L11 -> dl[b*FAMILIES] = HELD; dlt[b*FAMILIES] = x; dl[b*FAMILIES+FAMILIES-1] = HELD; dlt[b*FAMILIES+FAMILIES-1] = x :: else fi;
#ifdef STRICT
	fa[b] = NONE;
#endif
	x = 0
}
inline reply(b) {
	fr[b] = ADVERT; adt[b] = INTERVAL;
	if :: !M_L7_REPLY -> rp[b] = (1 << FAMILIES) - 1; fs[b] = 0 :: else fi
}
inline hear(b, m) {              /* controlplane/election/step.cpp */
	if :: role[b] == MASTER && !is_bow_out(m) && sender(m) < b -> to_backup(b); mast[b] = sender(m)
	   :: role[b] == MASTER && (is_bow_out(m) || sender(m) > b) -> alone[b] = 0; if :: !M_REPLY -> reply(b) :: else fi
	   :: role[b] == BACKUP && is_bow_out(m) ->
		if :: mast[b] == sender(m) && tk[b] == NONE ->   /* the next best rises at once, the third a tick later */
			tk[b] = (b - (sender(m) < b -> 1 : 0) > 0 -> 1 : 0); mast[b] = NONE;
			if :: tk[b] == 0 && mdt[b] -> falls_due(b) :: else fi
		   :: else fi
	   :: role[b] == BACKUP && !is_bow_out(m) && preempt && sender(m) > b && (mast[b] > b || M_BETTER) -> promote(b)
	   :: role[b] == BACKUP && !is_bow_out(m) && preempt && sender(m) > b && mast[b] < b && !M_BETTER -> rearm(b)  /* C8.14; until it bows out or falls silent */
	   :: else -> mast[b] = sender(m); rearm(b) fi
}
inline frames_lost(b) {
	if :: M_L8_LOST -> skip
	   :: !M_L8_LOST && role[b] == MASTER -> to_backup(b)
	   :: !M_L8_LOST && role[b] == BACKUP -> rearm(b) fi
}
#define c_inputs(b) (len(up[b]) || over[b] || gap_reports(b) || rf[b] || (hd[b] && !awaits_reply(b)))
#define c_quiet(b) (ctop[b] && cd[b] && !c_inputs(b) && !timers_due(b))

inline gap_report(b, g) {
	if :: gr[g] ->
		if :: gl[g] -> frames_lost(b) :: else fi;
		if :: gr[g] == 1 -> gp[g] = 0 :: else fi; gr[g] = 0; gl[g] = 0
	   :: else fi
}
inline c_acknowledge(b) {        /* L7: what follows from the decision has happened */
	if :: hd[b] && !awaits_reply(b) -> hd[b] = 0; rp[b] = 0; if :: !hn[b] -> ha[b] = 0 :: else fi
	   :: else fi
}
/* ==== control's steps, in the order of controlplane/loop.cpp, turn() ==== */
inline c_begin(b) {              /* L6; L9 looks before the rings are read */
	cage[b] = 0; ctop[b] = 0;
	if :: expired(b) ->          /* C7.11: one that earned no lease tries again, here always after a tick */
		m = unearned(b) && alone[b]; to_backup(b); if :: m -> mdt[b] = 1 :: else fi; m = 0
	   :: else fi;
	if :: role[b] == BACKUP -> decn[b] = TOLERANCE+1 :: else fi;    /* L6: a promotion is dated now */
	due[b] = promotion_due(b);
	if :: m && M_L10 -> pf[b] = BOW_OUT; pff[b] = 0; pft[b] = myt[b]; pfn[b] = TOLERANCE+1
	   :: m && !M_L10 -> sd[b] = 1; to_backup(b); m = 0         /* L10: commands come before the rings */
	   :: else fi
}
inline c_bow_out_first(b) { m = 0; to_backup(b) }               /* M_L10 */
inline c_rings(b) {
	do :: nempty(up[b]) -> up[b]?m; hear(b, m); if :: hn[b] -> hn[b]--; hd[b] = 1 :: else fi
	   :: empty(up[b]) -> break od; m = 0;
	if :: over[b] -> over[b] = 0; if :: hn[b] -> frames_lost(b); hn[b] = 0; hd[b] = 1 :: else fi :: else fi;
	if :: M_L7_DECIDED -> rp[b] = 0; c_acknowledge(b) :: else fi;
	if :: rf[b] && rf[b] == myt[b] -> adt[b] = min(adt[b], 1) :: else fi; rf[b] = 0;
	gap_report(b, last_worker(b))
}
inline c_timers(b) {
	if :: role[b] == BACKUP && due[b] -> promote(b)
	   :: role[b] == MASTER && adt[b] == 0 && !fr[b] -> fr[b] = ADVERT; adt[b] = INTERVAL
	   :: else fi;
	due[b] = 0;
	if :: sd[b] && !nv[b] && (all_silent(b) || lo[b] == 0) -> sd[b] = 0; lo[b] = 0; fr[b] = BOW_OUT :: else fi
}
inline c_view(b) {
	if :: nv[b] -> x = first_worker(b); do :: x <= last_worker(b) -> pv[x] = myt[b]; x++ :: else -> break od; x = 0
	   :: else fi
}
inline c_frames(b) {
	if :: fr[b] == ADVERT -> lease_left(y, b); pf[b] = ADVERT; pff[b] = 0; pft[b] = myt[b]; pfn[b] = y; y = 0
	   :: fr[b] == BOW_OUT -> pf[b] = BOW_OUT; pff[b] = 0; pft[b] = 0; pfn[b] = TOLERANCE+1
	   :: else fi;
	if :: M_L2_FIRST -> term[b] = myt[b] :: else fi;
	if :: role[b] == BACKUP -> decn[b] = 0 :: else fi;
	nv[b] = 0; fr[b] = 0
}
inline c_rest(b) { c_acknowledge(b); cd[b] = 1; ctop[b] = 1 }
#if WORKERS > 1
#define c_first_gap(b) gap_report(b, first_worker(b))
#else
#define c_first_gap(b) skip
#endif
inline c_in_time(b) {
	c_begin(b);
	if :: m -> c_bow_out_first(b) :: else fi;
	c_first_gap(b); c_rings(b); c_timers(b); c_view(b); c_frames(b); c_rest(b)
}
#define c_work(b) (c_inputs(b) || timers_due(b) || cage[b] || !cd[b])
#define told_to_go(b) (role[b] == MASTER && hands && ctop[b])

proctype Control(byte b) {
	byte x, y, m;
	do
	:: d_step { (c_work(b) && !c_late(b)) -> c_in_time(b) }
	:: d_step { (told_to_go(b) && !c_late(b)) -> hands--; m = 1; c_in_time(b) }
	:: atomic { ((c_work(b) || told_to_go(b)) && c_late(b)) ->
		if :: told_to_go(b) -> hands--; m = 1 :: c_work(b) fi;
		d_step { c_begin(b) } }
		if :: m -> d_step { c_bow_out_first(b) } :: else fi;
#if WORKERS > 1
		d_step { c_first_gap(b) }
#endif
		d_step { c_rings(b) }
		d_step { c_timers(b) }
		d_step { c_view(b) }
		d_step { c_frames(b) }
		d_step { c_rest(b) }
	od
}

/* ==== the clock ==== */
inline age_worker(g) {
	inc(lp[g], TOLERANCE+1); inc(da[g], TOLERANCE+1); wd[g] = 0;
	if :: !M_L1_LATE -> dec1(ho[g]) :: else fi
}
inline age_box(b) {
	i = 0;
	do :: i < FAMILIES -> dec1(dl[(b)*FAMILIES+i]); i++ :: else -> break od;
	dec1(pfn[b]); dec1(t0[b]); dec1(adt[b]); dec1(decn[b]); dec1(lo[b]);
	if :: outstanding(b) -> inc(ha[b], TOLERANCE+1) :: else fi;
	if :: role[b] == BACKUP && b != dead && (mdt[b] == 1 && tk[b] != 0 || tk[b] == 1 && mdt[b]) -> falls_due(b) :: else fi;
	dec1(mdt[b]); if :: tk[b] != NONE -> dec1(tk[b]) :: else fi;
	inc(cage[b], 1); cd[b] = 0; ans[b] = 0;
#ifdef STRICT
	if :: fa[b] < LONG -> fa[b]++ :: else fi; inc(la[b], 2);
	if :: la[b] == 2 && (!term[b] || apart) -> fa[b] = NONE :: else fi;
#endif
#if WIRE > 0
	old[b] = len(wire[b]);
#endif
	i = 0
}
/* Who is in time and has nothing to do makes the turn that changes nothing at once. */
inline empty_poll(g) {
	if :: !w_late(g) && wtop[g] && !w_inputs(g) -> begin_poll(g); judge(g); answer(g); end_poll(g); pg[g] = 0; wd[g] = 1 :: else fi
}
inline empty_turn(b) {
	if :: !c_late(b) && ctop[b] && !c_inputs(b) && !timers_due(b) -> cage[b] = 0; cd[b] = 1 :: else fi
}
#if WORKERS > 1
#define quiet(t) ((t) % THREADS == WORKERS -> c_quiet((t)/THREADS) : w_quiet((t)/THREADS*WORKERS + (t) % THREADS))
#else
#define quiet(t) ((t) % 2 -> c_quiet((t)/2) : w_quiet((t)/2))
#endif
#define unready(t) (!late[t] && !quiet(t))
#define waits_for(b) (unready((b)*THREADS) + unready((b)*THREADS+1) + (WORKERS > 1 -> unready((b)*THREADS+THREADS-1) : 0))
#if BOXES == 2
#define waits (waits_for(0) + waits_for(1))
#else
#define waits (waits_for(0) + waits_for(1) + waits_for(2))
#endif
#if WIRE == 0
#define arrived true
#elif BOXES == 2
#define arrived (!old[0] && !old[1])
#else
#define arrived (!old[0] && !old[1] && !old[2])
#endif

proctype Env() {
	byte i, f, x, m;
	do
#if WIRE > 0
	:: d_step { nempty(wire[0]) -> wire[0]?m; if :: nfull(rx[0]) -> rx[0]!m :: full(rx[0]) -> missed[0] = 1 fi; dec1(old[0]); m = 0 }
	:: d_step { nempty(wire[1]) -> wire[1]?m; if :: nfull(rx[1]) -> rx[1]!m :: full(rx[1]) -> missed[1] = 1 fi; dec1(old[1]); m = 0 }
#if BOXES > 2
	:: d_step { nempty(wire[2]) -> wire[2]?m; if :: nfull(rx[2]) -> rx[2]!m :: full(rx[2]) -> missed[2] = 1 fi; dec1(old[2]); m = 0 }
#endif
#endif
#ifdef LIVE
	:: d_step { faults -> faults = 0; budget = 0; hands = 0; refuses = 0; turns = 0; cut = 0;
		i = 0;
		do :: i < BOXES*THREADS -> late[i] = (i / THREADS == dead); i++ :: else -> break od; i = 0 }
#endif
	:: d_step { turns -> turns--; refuses = !refuses }
	:: d_step { cut -> cut = 0 }
	:: atomic { (arrived && waits <= budget) ->
		do :: i < BOXES*THREADS ->
			if :: i / THREADS == dead -> skip
			   :: i / THREADS != dead && quiet(i) -> late[i] = 0
			   :: i / THREADS != dead && late[i] && !quiet(i) -> skip
			   :: i / THREADS != dead && !late[i] && budget > 0 -> budget--; late[i] = 1 fi; i++
		   :: else -> break od;
		d_step {
#ifdef LIVE
			if :: !faults && calm > BOUND -> assert(ans[0] + ans[1] + (BOXES > 2 -> ans[BOXES-1] : 0) == 1)
			   :: !faults && calm <= BOUND -> calm++
			   :: else fi;
#endif
#ifdef STRICT
			if :: thr < LONG -> thr++ :: else fi;
#endif
			i = 0; do :: i < ALL_WORKERS -> age_worker(i); i++ :: else -> break od;
			m = 0; do :: m < BOXES -> age_box(m); m++ :: else -> break od;
			m = 0; do :: m < ALL_WORKERS -> empty_poll(m); m++ :: else -> break od;
			m = 0; do :: m < BOXES -> empty_turn(m); m++ :: else -> break od; m = 0; i = 0 } }
	od
}

init { byte i; d_step {
	c_code {
		now.removed = setting("REMOVED", 0); now.pauses = setting("PAUSES", 1); now.handovers = setting("HANDOVERS", 0);
		now.preempt = setting("PREEMPT", 1); now.first = setting("FIRST", 15); now.soon = setting("SOON", 0);
		now.deaf = setting("DEAF", 15); now.dead = setting("DEAD", 15);
		now.clutter = setting("CLUTTER", 0); now.flood = setting("FLOOD", 0);
		now.dumb = setting("DUMB", 15); now.apart = setting("APART", 0);
	};
	budget = pauses; hands = handovers; cut = apart; turns = (dumb == NONE -> 0 : 2);
	do :: i < BOXES -> mdt[i] = (soon -> 1 : MASTER_DOWN(i)); tk[i] = NONE; mast[i] = (first == i -> NONE : first); ctop[i] = 1;
#ifdef STRICT
		fa[i] = NONE; la[i] = 2;
#endif
		i++
	   :: else -> break od; i = 0;
	do :: i < ALL_WORKERS -> pv[i] = NONE; em[i] = 1; wtop[i] = 1; i++ :: else -> break od; i = 0;
	if :: first != NONE ->       /* a settled master, as the start from nothing leads to one */
		role[first] = MASTER; myt[first] = 1; term[first] = 1; adt[first] = INTERVAL; mdt[first] = 0;
		do :: i < FAMILIES -> dl[first*FAMILIES+i] = HELD; dlt[first*FAMILIES+i] = 1; i++ :: else -> break od; i = 0;
		do :: i < WORKERS -> wv[first*WORKERS+i] = 1; i++ :: else -> break od; i = 0
	   :: else fi;
	if :: dead != NONE -> do :: i < THREADS -> late[dead*THREADS+i] = 1; i++ :: else -> break od; i = 0 :: else fi }
	atomic {
	do :: i < BOXES && i != dead -> i++; run Control(i-1) :: i < BOXES && i == dead -> i++ :: else -> break od; i = 0;
	do :: i < ALL_WORKERS && box(i) != dead -> i++; run Worker(i-1) :: i < ALL_WORKERS && box(i) == dead -> i++ :: else -> break od; i = 0;
	run Env() }
}
